#pragma once

#include <stddef.h>
#include <string.h>

// LISTEN_FDNAMES: names with a colon between each two (sd_listen_fds(3)). A name may be empty, so there is always one.

inline int CountNames(const char* names) {
  int count = 1;
  for (; *names != '\0'; names++) count += *names == ':' ? 1 : 0;
  return count;
}

// Not terminated.
struct DescriptorName {
  const char* text;
  size_t length;
};

// Takes the first name away from the list; from an empty list an empty one.
inline DescriptorName NextName(const char** names) {
  DescriptorName name = {*names, strcspn(*names, ":")};
  *names += name.length + (name.text[name.length] == ':' ? 1 : 0);
  return name;
}
