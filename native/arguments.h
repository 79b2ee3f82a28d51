#pragma once

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#include <initializer_list>

// The arguments of a call from JavaScript, read by the plain Node-API: the functions that are called often can't
// afford more. A wrong argument throws a TypeError; src/systemd/ passes none.
class Arguments {
 public:
  static constexpr size_t kMaximum = 4;

  Arguments(napi_env env, napi_callback_info info);

  napi_env env() const { return env_; }
  napi_value operator[](size_t index) const { return values_[index]; }

  bool Int32(size_t index, int32_t* value) const;
  // A whole number of up to 53 bits.
  bool Int64(size_t index, int64_t* value) const;

 private:
  napi_env env_;
  napi_value values_[kMaximum];
};

// Strings as UTF-8, one behind the other, on the stack while they are short. Lone surrogates become U+FFFD.
class Utf8 {
 public:
  Utf8() = default;
  ~Utf8();
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

  // Adds `value` at the end. False with an exception pending when it is no string or memory ran out.
  bool Append(napi_env env, napi_value value);

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  // Can't be handed to C as a string.
  bool has_nul() const;

 private:
  char* data_ = stack_;
  size_t size_ = 0;
  char stack_[4096];
};

// A call's result as a number: what the C function returns.
napi_value Number(napi_env env, int64_t value);
// Several as an array.
napi_value Numbers(napi_env env, std::initializer_list<int64_t> values);

void ExportFunction(napi_env env, napi_value exports, const char* name, napi_callback function);
