// Included before all else in the build for musl, which borrows the headers of a libstdc++ made for glibc: what those
// headers name and musl doesn't have. None of it is ever called; see native/build-prebuilds.sh.
#pragma once

#include <locale.h>
#include <pthread.h>
#include <time.h>

typedef locale_t __locale_t;

extern "C" {
int pthread_cond_clockwait(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
int pthread_mutex_clocklock(pthread_mutex_t*, clockid_t, const struct timespec*);
}
