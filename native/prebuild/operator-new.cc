// Compiled into binaries that are made for other machines, so that they need no C++ library there: these are all that
// the addon takes from one. Compiled without exceptions, it couldn't go on without memory either way.

#include <stdlib.h>

#include <new>

void* operator new(size_t size) {
  void* memory = malloc(size == 0 ? 1 : size);
  if (memory == nullptr) abort();
  return memory;
}

void operator delete(void* memory) noexcept { free(memory); }

void operator delete(void* memory, size_t) noexcept { free(memory); }
