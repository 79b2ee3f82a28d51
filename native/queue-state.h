#pragma once

#include "arguments.h"
#include "datagram-sender.h"

// [waiting, failed, errno of the last failure] as JavaScript gets it.
inline napi_value QueueStateArray(napi_env env, const DatagramSender::QueueState& state) {
  napi_value array;
  napi_create_array_with_length(env, 3, &array);
  napi_set_element(env, array, 0, Number(env, static_cast<int64_t>(state.waiting)));
  napi_set_element(env, array, 1, Number(env, static_cast<int64_t>(state.failed)));
  napi_set_element(env, array, 2, Number(env, state.last_error));
  return array;
}
