/* types.h - element types by name, and as HDF5 knows them. */
#ifndef SWIM_STORE_TYPES_H
#define SWIM_STORE_TYPES_H

#include <stdbool.h>

#include <h5swim/kernel.h>

/* The type called name: int8 to int64, uint8 to uint64, float32, float64, longdouble,
 * float, double, or as numpy abbreviates them (i4, u2, f8, "<f4").  0 when there is no
 * such type. */
enum swim_type swim_type_parse(const char *name);

/* Whether a type is a floating-point one, or a signed integer. */
bool swim_type_is_float(enum swim_type type);
bool swim_type_is_signed(enum swim_type type);

/* Whether each value of type from is also a value of the floating-point type to. */
bool swim_type_fits(enum swim_type from, enum swim_type to);

/* The integer type of the same size that has a sign where this one has none, and the
 * other way round; not for other types. */
enum swim_type swim_type_other_sign(enum swim_type type);

/* netCDF's default fill value of a type, NC_FILL_* of netcdf.h. */
double swim_type_default_fill(enum swim_type type);

#endif /* SWIM_STORE_TYPES_H */
