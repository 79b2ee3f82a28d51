// HTTP clients that post messages, each over one connection that it keeps, the next one as soon as the last is answered.
//   clients PORT TOKEN CLIENTS COUNT
// Prints how many were answered 202, the time, and the answers' latencies. Anything but a 202 is an error.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct client {
  int fd;
  int number;
  uint64_t began;
  size_t size;
  char answer[4096];
};

static const char *token;
static int posted, answered, count;
static uint64_t *latencies;

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "clients: %s (%s)\n", what, strerror(errno));
  exit(1);
}

static void post(struct client *client) {
  if (posted == count) return;
  char body[256], request[1024];
  // A hundred messages a session: no queue gets long.
  int number = posted++;
  int size = snprintf(body, sizeof(body), "{\"text\":\"Message %d of the benchmark, of some length\"}", number);
  size = snprintf(request, sizeof(request),
                  "POST /v1/sessions/client-%d-%d/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                  "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                  client->number, number / 6400, token, size, body);
  client->began = nanoseconds();
  client->size = 0;
  if (write(client->fd, request, (size_t)size) != size) fail("write");
}

// True once the whole answer is there.
static int complete(struct client *client) {
  client->answer[client->size] = '\0';
  char *end = strstr(client->answer, "\r\n\r\n");
  if (end == NULL) return 0;
  char *length = strcasestr(client->answer, "\r\ncontent-length:");
  if (length == NULL || length > end) fail("an answer without Content-Length");
  return client->size >= (size_t)(end + 4 - client->answer) + (size_t)atoi(length + 17);
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  token = argv[2];
  int clients = atoi(argv[3]);
  count = atoi(argv[4]);
  latencies = calloc((size_t)count, sizeof(*latencies));
  struct client *all = calloc((size_t)clients, sizeof(*all));
  int poll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  for (int i = 0; i < clients; i++) {
    all[i].number = i;
    all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(all[i].fd, (struct sockaddr *)&address, sizeof(address)) < 0) fail("connect");
    int on = 1;
    setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  uint64_t began = nanoseconds();
  for (int i = 0; i < clients; i++) post(&all[i]);
  while (answered < count) {
    struct epoll_event events[64];
    int ready = epoll_wait(poll, events, 64, 60000);
    if (ready <= 0) fail("no answer in a minute");
    for (int i = 0; i < ready; i++) {
      struct client *client = events[i].data.ptr;
      ssize_t size = read(client->fd, client->answer + client->size, sizeof(client->answer) - 1 - client->size);
      if (size <= 0) fail("the connection ended");
      client->size += (size_t)size;
      if (!complete(client)) continue;
      if (strncmp(client->answer, "HTTP/1.1 202 ", 13) != 0) fail(client->answer);
      latencies[answered++] = nanoseconds() - client->began;
      post(client);
    }
  }
  uint64_t spent = nanoseconds() - began;
  qsort(latencies, (size_t)count, sizeof(*latencies), ascending);
  printf("{\"accepted\":%d,\"nanoseconds\":%llu,\"p50\":%.1f,\"p99\":%.1f}\n", answered, (unsigned long long)spent,
         (double)latencies[count / 2] / 1e3, (double)latencies[(size_t)count * 99 / 100] / 1e3);
  return 0;
}
