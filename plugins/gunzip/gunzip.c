//! gzip on stdin (RFC 1952, any number of members), what it holds on stdout: `gunzip < a.gz > a`.
//!
//! An example to copy: plain C that knows nothing of Tasklane, built as a WASI preview 1 command. It keeps a window of 32 KiB and two
//! buffers, so that its memory does not depend on its input. Guarantees: exit status 0 means that every member's length and CRC-32
//! were right. 65: the input is no gzip, damaged, or ends too early; 74: stdin or stdout failed.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_DATA = 65, EXIT_IO = 74 };

/// Furthest that a copy may reach back, in bytes.
#define WINDOW 32768
/// Bytes that are read at once.
#define BUFFER 65536
/// Longest code of a Huffman table, in bits.
#define CODE_BITS 15
/// Symbols of the largest table: literals, end and lengths.
#define SYMBOLS 288
/// Codes for distances.
#define DISTANCES 30

static uint8_t input[BUFFER];
static size_t input_at, input_end;
static uint64_t input_before;
static uint32_t bits, bit_count;

static uint8_t window[WINDOW];
static uint32_t window_at;
static uint64_t member_bytes;
static uint32_t crc, crc_table[256];

/// A canonical Huffman code: how many codes there are of each length, and the symbols in the order of their codes.
struct code {
    uint16_t count[CODE_BITS + 1];
    uint16_t symbol[SYMBOLS];
};

static _Noreturn void fail(int status, const char *why) {
    fprintf(stderr, "gunzip: %s (at byte %llu of the input)\n", why, (unsigned long long)(input_before + input_at));
    exit(status);
}

static int next_byte_or_end(void) {
    if (input_at == input_end) {
        input_before += input_end;
        input_at = 0;
        input_end = fread(input, 1, BUFFER, stdin);
        if (ferror(stdin)) fail(EXIT_IO, "stdin cannot be read");
        if (input_end == 0) return -1;
    }
    return input[input_at++];
}

static uint32_t next_byte(void) {
    int byte = next_byte_or_end();
    if (byte < 0) fail(EXIT_DATA, "the input ends too early");
    return (uint32_t)byte;
}

/// At most 16 bits, the first one lowest.
static uint32_t take(uint32_t wanted) {
    while (bit_count < wanted) {
        bits |= next_byte() << bit_count;
        bit_count += 8;
    }
    uint32_t value = bits & ((1u << wanted) - 1);
    bits >>= wanted;
    bit_count -= wanted;
    return value;
}

static uint32_t take_32(void) {
    uint32_t low = take(16);
    return low | take(16) << 16;
}

static void to_next_byte(void) {
    take(bit_count & 7);
}

static void make_crc_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320u ^ value >> 1 : value >> 1;
        crc_table[byte] = value;
    }
}

static void flush_window(void) {
    for (uint32_t at = 0; at < window_at; at++) crc = crc_table[(crc ^ window[at]) & 255] ^ crc >> 8;
    if (fwrite(window, 1, window_at, stdout) != window_at) fail(EXIT_IO, "stdout cannot be written");
    window_at = 0;
}

static void put(uint8_t byte) {
    window[window_at++] = byte;
    member_bytes++;
    if (window_at == WINDOW) flush_window();
}

/// Fails for a code in which some bits would mean two symbols; one that is not complete is found out when it is used.
static void make_code(struct code *code, const uint8_t *lengths, uint32_t symbols) {
    uint16_t first[CODE_BITS + 2] = {0};
    memset(code->count, 0, sizeof code->count);
    for (uint32_t symbol = 0; symbol < symbols; symbol++) code->count[lengths[symbol]]++;
    code->count[0] = 0;
    int32_t free_codes = 1;
    for (int length = 1; length <= CODE_BITS; length++) {
        free_codes = free_codes * 2 - code->count[length];
        if (free_codes < 0) fail(EXIT_DATA, "a Huffman table has too many codes");
        first[length + 1] = first[length] + code->count[length];
    }
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        if (lengths[symbol]) code->symbol[first[lengths[symbol]]++] = (uint16_t)symbol;
    }
}

static uint32_t decode(const struct code *code) {
    uint32_t value = 0, first = 0, index = 0;
    for (int length = 1; length <= CODE_BITS; length++) {
        value = value << 1 | take(1);
        if (value - first < code->count[length]) return code->symbol[index + (value - first)];
        index += code->count[length];
        first = (first + code->count[length]) << 1;
    }
    fail(EXIT_DATA, "there is a code that no table has");
}

static void copy_back(uint32_t length, uint32_t distance) {
    if (distance > member_bytes) fail(EXIT_DATA, "a copy reaches back before the beginning");
    while (length--) put(window[(window_at - distance) & (WINDOW - 1)]);
}

static void inflate_coded(const struct code *literals, const struct code *distances) {
    static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                           31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    for (;;) {
        uint32_t symbol = decode(literals);
        if (symbol == 256) return;
        if (symbol < 256) {
            put((uint8_t)symbol);
            continue;
        }
        if (symbol > 285) fail(EXIT_DATA, "there is a length that no table has");
        uint32_t length = length_base[symbol - 257] + take(length_bits[symbol - 257]);
        uint32_t which = decode(distances);
        if (which >= DISTANCES) fail(EXIT_DATA, "there is a distance that no table has");
        // 1, 2, 3, 4, then two for each further bit: 5, 7, 9, 13, 17, 25 …
        uint32_t extra = which < 2 ? 0 : which / 2 - 1;
        uint32_t base = which < 2 ? which + 1 : ((2 + (which & 1)) << extra) + 1;
        copy_back(length, base + take(extra));
    }
}

static void inflate_stored(void) {
    to_next_byte();
    uint32_t length = take(16), check = take(16);
    if (length != (~check & 0xffff)) fail(EXIT_DATA, "the length of a stored block is damaged");
    while (length--) put((uint8_t)take(8));
}

static void inflate_fixed(void) {
    struct code literals, distances;
    uint8_t lengths[SYMBOLS];
    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    make_code(&literals, lengths, SYMBOLS);
    memset(lengths, 5, DISTANCES);
    make_code(&distances, lengths, DISTANCES);
    inflate_coded(&literals, &distances);
}

/// Reads `wanted` lengths, which are themselves coded: 16 repeats the last, 17 and 18 stand for runs of zeros.
static void read_lengths(const struct code *code, uint8_t *lengths, uint32_t wanted) {
    for (uint32_t done = 0; done < wanted;) {
        uint32_t symbol = decode(code), times = 1;
        uint8_t length = (uint8_t)symbol;
        if (symbol == 16) {
            if (done == 0) fail(EXIT_DATA, "a length is repeated before there is one");
            length = lengths[done - 1];
            times = 3 + take(2);
        } else if (symbol > 16) {
            length = 0;
            times = symbol == 17 ? 3 + take(3) : 11 + take(7);
        }
        if (done + times > wanted) fail(EXIT_DATA, "a Huffman table has too many lengths");
        memset(lengths + done, length, times);
        done += times;
    }
}

static void inflate_dynamic(void) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    struct code literals, distances;
    uint8_t lengths[SYMBOLS + 32] = {0};
    uint32_t literal_count = take(5) + 257, distance_count = take(5) + 1, length_count = take(4) + 4;
    if (literal_count > 286 || distance_count > DISTANCES) fail(EXIT_DATA, "a Huffman table has too many symbols");
    for (uint32_t at = 0; at < length_count; at++) lengths[order[at]] = (uint8_t)take(3);
    make_code(&literals, lengths, 19);
    read_lengths(&literals, lengths, literal_count + distance_count);
    if (lengths[256] == 0) fail(EXIT_DATA, "a block has no end");
    make_code(&literals, lengths, literal_count);
    make_code(&distances, lengths + literal_count, distance_count);
    inflate_coded(&literals, &distances);
}

static void inflate(void) {
    uint32_t is_last;
    do {
        is_last = take(1);
        switch (take(2)) {
        case 0: inflate_stored(); break;
        case 1: inflate_fixed(); break;
        case 2: inflate_dynamic(); break;
        default: fail(EXIT_DATA, "there is a block of an unknown kind");
        }
    } while (!is_last);
    to_next_byte();
}

static void skip_text(void) {
    while (take(8) != 0) continue;
}

/// What follows the first byte of a member, up to its blocks.
static void read_header(void) {
    if (take(8) != 0x8b) fail(EXIT_DATA, "the input is no gzip");
    if (take(8) != 8) fail(EXIT_DATA, "the input is packed in a way that is not known");
    uint32_t flags = take(8);
    if (flags & 0xe0) fail(EXIT_DATA, "the header has flags that are not known");
    take_32();
    take(16);
    if (flags & 4) {
        for (uint32_t length = take(16); length > 0; length--) take(8);
    }
    if (flags & 8) skip_text();
    if (flags & 16) skip_text();
    if (flags & 2) take(16);
}

static void read_member(void) {
    read_header();
    crc = 0xffffffffu;
    member_bytes = 0;
    inflate();
    flush_window();
    if (take_32() != (crc ^ 0xffffffffu)) fail(EXIT_DATA, "the CRC-32 is wrong: the input is damaged");
    if (take_32() != (uint32_t)member_bytes) fail(EXIT_DATA, "the length is wrong: the input is damaged");
}

int main(void) {
    make_crc_table();
    uint64_t members = 0;
    for (int first = next_byte_or_end(); first >= 0; first = next_byte_or_end()) {
        if (first != 0x1f) fail(EXIT_DATA, members ? "after the last member there is something else" : "the input is no gzip");
        read_member();
        members++;
    }
    if (members == 0) fail(EXIT_DATA, "the input is empty");
    if (fflush(stdout) != 0) fail(EXIT_IO, "stdout cannot be written");
    fprintf(stderr, "members: %llu\n", (unsigned long long)members);
    return 0;
}
