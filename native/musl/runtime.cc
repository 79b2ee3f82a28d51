// The little of libstdc++ that the addon uses, for the build for musl: no libstdc++ made for musl is at hand there, and
// Node's own is not promised to be found by an addon.

#include <stdlib.h>

#include <new>

void* operator new(size_t size) {
  void* memory = malloc(size == 0 ? 1 : size);
  // Without exceptions there is nobody to tell.
  if (memory == nullptr) abort();
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

extern "C" void __cxa_pure_virtual() { abort(); }

namespace std {
void __throw_length_error(const char*) { abort(); }
void __throw_logic_error(const char*) { abort(); }
void __throw_bad_function_call() { abort(); }
}  // namespace std
