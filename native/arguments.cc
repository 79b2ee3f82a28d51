#include "arguments.h"

#include <stdlib.h>
#include <string.h>

namespace {

bool Refuse(napi_env env, const char* message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

}  // namespace

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  size_t count = kMaximum;
  // Fills up with undefined.
  napi_get_cb_info(env, info, &count, values_, nullptr, nullptr);
}

bool Arguments::Int32(size_t index, int32_t* value) const {
  return napi_get_value_int32(env_, values_[index], value) == napi_ok || Refuse(env_, "a number is needed");
}

bool Arguments::Int64(size_t index, int64_t* value) const {
  return napi_get_value_int64(env_, values_[index], value) == napi_ok || Refuse(env_, "a number is needed");
}

Utf8::~Utf8() {
  if (data_ != stack_) free(data_);
}

bool Utf8::Append(napi_env env, napi_value value) {
  size_t size;
  if (data_ == stack_) {
    size_t room = sizeof(stack_) - size_;
    if (napi_get_value_string_utf8(env, value, stack_ + size_, room, &size) != napi_ok) {
      return Refuse(env, "a string is needed");
    }
    // A character that doesn't fit is left out whole, so up to three bytes may be free in a buffer that was too short.
    if (size + 4 < room) {
      size_ += size;
      return true;
    }
  }
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok) return Refuse(env, "a string is needed");
  char* memory = static_cast<char*>(data_ == stack_ ? malloc(size_ + size + 1) : realloc(data_, size_ + size + 1));
  if (memory == nullptr) {
    napi_throw_range_error(env, nullptr, "out of memory");
    return false;
  }
  if (data_ == stack_) memcpy(memory, stack_, size_);
  data_ = memory;
  napi_get_value_string_utf8(env, value, data_ + size_, size + 1, &size);
  size_ += size;
  return true;
}

bool Utf8::has_nul() const { return memchr(data_, '\0', size_) != nullptr; }

napi_value Number(napi_env env, int64_t value) {
  napi_value number;
  napi_create_int64(env, value, &number);
  return number;
}

napi_value Numbers(napi_env env, std::initializer_list<int64_t> values) {
  napi_value array;
  napi_create_array_with_length(env, values.size(), &array);
  uint32_t index = 0;
  for (int64_t value : values) napi_set_element(env, array, index++, Number(env, value));
  return array;
}

void ExportFunction(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}
