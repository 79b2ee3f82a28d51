// Runs the inputs in the files that are named, one after the other: for a compiler without libFuzzer.

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int count, char** names) {
  for (int i = 1; i < count; i++) {
    FILE* file = fopen(names[i], "rb");
    if (file == nullptr) {
      perror(names[i]);
      return 1;
    }
    // No byte more than there is, so that AddressSanitizer sees each that is read beyond.
    std::vector<uint8_t> input;
    for (int byte = fgetc(file); byte != EOF; byte = fgetc(file)) input.push_back(static_cast<uint8_t>(byte));
    input.shrink_to_fit();
    fclose(file);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  return 0;
}
