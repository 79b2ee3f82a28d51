// Included before all else when the addon is compiled with musl's headers under C++ headers that were configured for
// glibc: what these believe to be there and musl hasn't.
#pragma once

#define __GLIBC_PREREQ(major, minor) 0
#define __locale_t locale_t

#include <bits/c++config.h>
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
