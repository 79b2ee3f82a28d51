// The senders' side of receiver.c: descriptor 4 tells it to drain, descriptor 5 has its answers.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static void receiver_answer(uint64_t answer[2]) {
  if (read(5, answer, 16) != 16) {
    perror("the receiver's answer");
    exit(1);
  }
}

// Calls `send_one` for 0 to count - 1 in bursts, and prints the time within it.
static void in_bursts(uint32_t count, uint32_t burst, void (*send_one)(uint32_t)) {
  uint64_t answer[2];
  uint64_t spent = 0;
  receiver_answer(answer);
  for (uint32_t done = 0; done < count;) {
    uint32_t size = count - done < burst ? count - done : burst;
    uint64_t began = nanoseconds();
    for (uint32_t i = done; i < done + size; i++) send_one(i);
    spent += nanoseconds() - began;
    done += size;
    if (write(4, &size, sizeof(size)) != sizeof(size)) exit(1);
    receiver_answer(answer);
  }
  printf("{\"nanoseconds\":%llu,\"received\":%llu,\"hash\":\"%016llx\"}\n", (unsigned long long)spent,
         (unsigned long long)answer[0], (unsigned long long)answer[1]);
}
