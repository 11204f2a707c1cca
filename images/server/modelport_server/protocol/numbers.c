/* Lists of JSON numbers into arrays, outside of the interpreter.
 *
 * A number is read as an integer of up to 18 digits and a power of ten. What one operation makes of them in the next wider type
 * is wrong by less than MARGIN of its last places as long as the power is small, also where digits or a part of ten had to be
 * rounded for it, and rounding to the type that is wanted gives the right neighbour unless the result is that close to the
 * middle between two.
 * Those, and all other numbers, are left to the C library, which is always right and ten times slower.
 *
 * What reads a list takes it from text to end as lists in lists, `depth` of them, each as long as `lengths`, which are positive,
 * says for its depth. It returns 1 if the text is that and all its numbers are of the type, else 0. The text must end with ']':
 * the C library is not told where it ends, and stops there.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define MARGIN 16
#define EXACT_DIGITS 18 /* less than 63 bits: signed integers become floats in one instruction, unsigned ones do not */
#define INTEGER_DIGITS 19
#define MAX_DEPTH 64 /* dimensions that numpy has at most */
#define MAX_PLACES 1000 /* numbers with more are left to the C library */

struct number {
    uint64_t digits; /* without the point; not the true ones if there are more than INTEGER_DIGITS */
    int count;
    int power;
    int negative;
    int integer;
};

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const double PARTS[] = {1e-0,  1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8,  1e-9,  1e-10, 1e-11,
                               1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19, 1e-20, 1e-21, 1e-22};
#define MAX_POWER 22

INLINE int is_digit(char c) { return (unsigned char)(c - '0') < 10; }

INLINE const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

/* Return where the next element begins, or NULL if there is no comma before it. */
INLINE const char *skip_comma(const char *at, const char *end) {
    return at < end && *at == ',' ? skip_space(at + 1, end) : NULL;
}

#define EACH(byte) (0x0101010101010101u * (byte))

/* Zero if eight characters are all digits; else its lowest bit that is set is in the first that is none. */
INLINE uint64_t find_others(uint64_t eight) {
    return ((eight & EACH(0xF0)) ^ EACH(0x30)) | (((eight + EACH(0x06)) & EACH(0xF0)) ^ EACH(0x30));
}

/* What eight digits say, the first of them in the lowest byte: pairs, pairs of pairs, and both halves side by side. */
INLINE uint32_t value_of(uint64_t eight) {
    eight -= EACH(0x30);
    eight = eight * 10 + (eight >> 8);
    return (uint32_t)((((eight & 0x000000FF000000FFu) * 0x000F424000000064u) +
                       (((eight >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u)) >> 32);
}

static const uint32_t TENS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

INLINE const char *read_few_digits(const char *at, const char *end, struct number *number) {
    while (at < end && is_digit(*at)) number->digits = number->digits * 10 + (uint64_t)(*at++ - '0');
    return at;
}

INLINE const char *read_digits(const char *at, const char *end, struct number *number) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - at >= 8) {
        uint64_t eight, others;
        memcpy(&eight, at, 8);
        others = find_others(eight);
        if (others != 0) { /* the last ones behind zeros, without a loop whose length no processor foresees */
            int few = __builtin_ctzll(others) / 8;
            eight = (eight << 8 * (7 - few) << 8) | (EACH(0x30) >> 8 * few);
            number->digits = number->digits * TENS[few] + value_of(eight);
            return at + few;
        }
        number->digits = number->digits * 100000000u + value_of(eight);
        at += 8;
    }
#endif
    return read_few_digits(at, end, number);
}

/* Read a number of JSON's grammar; return where it ends, or NULL. */
INLINE const char *read_number(const char *at, const char *end, struct number *number) {
    *number = (struct number){.negative = at < end && *at == '-', .integer = 1};
    at += number->negative;
    const char *first = at;
    at = read_few_digits(at, end, number);
    if (at == first || (*first == '0' && at - first > 1)) return NULL;
    long count = *first == '0' ? 0 : at - first; /* zeros in front of all others do not count */
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = read_digits(at, end, number);
        if (at == fraction) return NULL;
        number->integer = 0;
        long places = at - fraction;
        count += places;
        if (count > EXACT_DIGITS && places <= MAX_PLACES && *first == '0') /* looked at only where it decides */
            for (; fraction < at && *fraction == '0'; fraction++) count--;
        number->power = -(int)(places > MAX_PLACES ? MAX_PLACES : places);
    }
    number->count = count > MAX_PLACES ? MAX_PLACES : (int)count;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int negative = 0, power = 0;
        at++;
        if (at < end && (*at == '-' || *at == '+')) negative = *at++ == '-';
        const char *exponent = at;
        for (; at < end && is_digit(*at); at++)
            if (power < 100000) power = power * 10 + (*at - '0');
        if (at == exponent) return NULL;
        number->integer = 0;
        number->power += negative ? -power : power;
    }
    return at;
}

INLINE int is_plain(const struct number *number) {
    return number->count <= EXACT_DIGITS && number->power >= -MAX_POWER && number->power <= MAX_POWER;
}

/* As float; returns 0 if it is beyond its range. */
INLINE int to_float(const char *text, const struct number *number, float *result) {
    if (number->digits == 0 && number->count <= EXACT_DIGITS) {
        *result = number->negative ? -0.0f : 0.0f;
        return 1;
    }
    if (is_plain(number)) {
        double wide = (double)(int64_t)number->digits * (number->power < 0 ? PARTS[-number->power] : POWERS[number->power]);
        uint64_t bits;
        memcpy(&bits, &wide, sizeof bits);
        uint32_t rest = bits & 0x1FFFFFFF; /* the 29 bits that float does not have */
        if (wide > 2 * (double)FLT_MIN && wide < (double)FLT_MAX / 2 &&
            (rest < 0x10000000 - MARGIN || rest > 0x10000000 + MARGIN)) {
            *result = number->negative ? -(float)wide : (float)wide;
            return 1;
        }
    }
    *result = strtof(text, NULL);
    return isfinite(*result);
}

/* As double; returns 0 if it is beyond its range. */
INLINE int to_double(const char *text, const struct number *number, double *result) {
    if (number->digits == 0 && number->count <= EXACT_DIGITS) {
        *result = number->negative ? -0.0 : 0.0;
        return 1;
    }
#if LDBL_MANT_DIG == 64 /* x86: 80 bits, of which 11 are more than double has */
    if (is_plain(number)) {
        long double wide = number->power < 0 ? (long double)(int64_t)number->digits / POWERS[-number->power]
                                             : (long double)(int64_t)number->digits * POWERS[number->power];
        uint64_t mantissa;
        memcpy(&mantissa, &wide, sizeof mantissa);
        uint32_t rest = mantissa & 0x7FF;
        if (rest < 0x400 - MARGIN || rest > 0x400 + MARGIN) { /* 18 digits and 22 powers are far from the limits of double */
            *result = number->negative ? -(double)wide : (double)wide;
            return 1;
        }
    }
#else
    if (is_plain(number) && number->digits < (uint64_t)1 << 53) { /* both are exact: one operation is right */
        double exact = number->power < 0 ? (double)number->digits / POWERS[-number->power]
                                         : (double)(int64_t)number->digits * POWERS[number->power];
        *result = number->negative ? -exact : exact;
        return 1;
    }
#endif
    *result = strtod(text, NULL);
    return isfinite(*result);
}

/* As an integer; returns 0 if it is none of 64 bits. */
INLINE int to_int64(const char *text, const struct number *number, int64_t *result) {
    (void)text;
    if (!number->integer || number->count > INTEGER_DIGITS) return 0;
    if (number->digits > (uint64_t)INT64_MAX + (uint64_t)number->negative) return 0;
    *result = number->negative ? (int64_t)(0 - number->digits) : (int64_t)number->digits;
    return 1;
}

#define DEFINE_READ(name, type, convert)                                                                            \
    static const char *name##_row(const char *at, const char *end, long length, type *elements) {                   \
        struct number number;                                                                                       \
        for (long count = 0; count < length; count++) {                                                             \
            if (count > 0 && (at = skip_comma(at, end)) == NULL) return NULL;                                       \
            const char *behind = read_number(at, end, &number);                                                     \
            if (behind == NULL || !convert(at, &number, elements + count)) return NULL;                             \
            at = skip_space(behind, end);                                                                           \
        }                                                                                                           \
        return at;                                                                                                  \
    }                                                                                                               \
                                                                                                                    \
    static const char *name##_list(const char *at, const char *end, const long *lengths, long depth, type **next) { \
        if (at == end || *at != '[') return NULL;                                                                   \
        at = skip_space(at + 1, end);                                                                               \
        if (depth == 1) {                                                                                           \
            at = name##_row(at, end, *lengths, *next);                                                              \
            *next += *lengths;                                                                                      \
        } else {                                                                                                    \
            for (long count = 0; at != NULL && count < *lengths; count++) {                                         \
                if (count > 0 && (at = skip_comma(at, end)) == NULL) return NULL;                                   \
                at = name##_list(at, end, lengths + 1, depth - 1, next);                                            \
                if (at != NULL) at = skip_space(at, end);                                                           \
            }                                                                                                       \
        }                                                                                                           \
        return at != NULL && at < end && *at == ']' ? at + 1 : NULL;                                                \
    }                                                                                                               \
                                                                                                                    \
    int name(const char *text, const char *end, type *elements, const long *lengths, long depth) {                  \
        return name##_list(text, end, lengths, depth, &elements) == end;                                            \
    }

DEFINE_READ(read_floats, float, to_float)
DEFINE_READ(read_doubles, double, to_double)
DEFINE_READ(read_int64s, int64_t, to_int64)

/* Return where the list that begins at text ends, or NULL if there are strings in it, or too many lists, or it has no end. */
const char *end_of_list(const char *text, const char *end) {
    const char *quote = memchr(text, '"', (size_t)(end - text));
    const char *opening = text;
    int depth = 0;
    if (quote != NULL) end = quote; /* brackets in strings are none */
    for (const char *closing = text; (closing = memchr(closing, ']', (size_t)(end - closing))) != NULL; closing++) {
        while (opening != NULL && opening < closing) {
            if (++depth > MAX_DEPTH) return NULL;
            opening = memchr(opening + 1, '[', (size_t)(end - opening - 1));
        }
        if (--depth == 0) return closing + 1;
    }
    return NULL;
}
