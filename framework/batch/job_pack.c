/* job_pack.c - "pack" of an output: values stored as integers, with scale and offset.
 */
#include <math.h>

#include "batch/job_private.h"

static int pack_scale(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;
    int rc = job_value_double(value, &output->scale, err);

    if (rc == SWIM_OK && (!isfinite(output->scale) || output->scale == 0))
        rc = job_fail(err, &value->place,
                      "\"scale_factor\": expected a number other than 0, found %.60s",
                      value->text);
    return rc;
}

static int pack_offset(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;
    int rc = job_value_double(value, &output->offset, err);

    if (rc == SWIM_OK && !isfinite(output->offset))
        rc = job_fail(err, &value->place,
                      "\"add_offset\": expected a number, found %.60s", value->text);
    return rc;
}

static const struct job_key pack_keys[] = {
    {"scale_factor", pack_scale},
    {"add_offset", pack_offset},
};

int job_pack(const struct job_node *value, void *into, swim_error_t *err)
{
    struct job_output *output = into;
    int rc = job_map_expect(value, "scale_factor and add_offset", err);

    if (rc == SWIM_OK && value->n == 0)
        rc = job_fail(err, &value->place,
                      "\"pack\": expected scale_factor, add_offset or both");
    output->packed = rc == SWIM_OK;
    output->scale = 1;
    output->offset = 0;
    return rc == SWIM_OK
               ? job_keys_read(value, pack_keys, SWIM_COUNT_OF(pack_keys), into, err)
               : rc;
}

int job_pack_settle(const struct job_output *output, swim_error_t *err)
{
    if (!output->packed || (output->type && output->type < SWIM_TYPE_F32))
        return SWIM_OK;
    return job_fail(err, &output->place,
                    "output \"%.60s\": \"pack\" stores values as integers: give it an "
                    "integer type, such as type: int16 (h5swim calc: --type int16)",
                    output->port);
}
