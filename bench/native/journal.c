// The limit of a journal record with ten fields:   journal COUNT BURST
#define _GNU_SOURCE
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <string.h>
#include <systemd/sd-journal.h>

#include "bursts.h"

#define FIELD(text) {(void *)(text), sizeof(text) - 1}

static void by_libsystemd(uint32_t i) {
  static char message[128];
  struct iovec fields[] = {
      {message, (size_t)snprintf(message, sizeof(message), "MESSAGE=Turn %u of session chat:42 replied", i)},
      FIELD("PRIORITY=6"),
      FIELD("SYSLOG_IDENTIFIER=bench"),
      FIELD("MESSAGE_ID=8d45620c1a4348dbb17410da57c60c66"),
      FIELD("SESSION=chat:42"),
      FIELD("TURN=01a208d4-6fa1-7405-ae6c-4a944ef783dc"),
      FIELD("ATTEMPT=1"),
      FIELD("AGENT=echo"),
      FIELD("DURATION_USEC=1234"),
      FIELD("OUTCOME=replied"),
  };
  if (sd_journal_sendv(fields, sizeof(fields) / sizeof(*fields)) != 0) exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  in_bursts((uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[2]), by_libsystemd);
  return 0;
}
