#include "signal.h"

void InitializeSignal(Napi::Env, Napi::Object) {}
