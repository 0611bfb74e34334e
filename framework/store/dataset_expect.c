/* dataset_expect.c - what will be read soon. */
#include "store/dataset.h"

#define SPREAD 2 /* so much may lie in between */
#define EXPECT_MOST ((uint64_t)16 << 20)

void dataset_expect(const struct source *source, const struct dataset_info *info,
                    const uint64_t *start, const uint64_t *count)
{
    const uint64_t size = swim_type_size(info->stored_type);
    uint64_t stride = 1, first = 0, last = 0, elements = 1;

    if (!info->place)
        return;
    for (uint32_t i = info->ndim; i-- > 0;) {
        const uint64_t end =
            start[i] + count[i] < info->shape[i] ? start[i] + count[i] : info->shape[i];
        if (end <= start[i])
            return;
        first += start[i] * stride;
        last += (end - 1) * stride;
        elements *= end - start[i];
        stride *= info->shape[i];
    }
    const uint64_t bytes = (last + 1 - first) * size;
    if (last - first < SPREAD * elements)
        source_expect(source, info->place + first * size,
                      bytes < EXPECT_MOST ? bytes : EXPECT_MOST);
}
