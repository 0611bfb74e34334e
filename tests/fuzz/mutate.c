/* mutate.c - libFuzzer's own mutation, and most often valid records after it. */
#include <stddef.h>
#include <stdint.h>

#include "fuzz_journal.h"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
    size = LLVMFuzzerMutate(bytes, size, max);
    if (seed % 8)
        fuzz_repair(bytes, size, seed);
    return size;
}
