//! The number of words of a text and its FNV-1a hash, in C: see plugins/fixtures/checksum.

#include <stdint.h>
#include <stdio.h>

int main(void) {
    static unsigned char text[65536];
    uint32_t hash = 0x811c9dc5, words = 0, in_word = 0;
    for (size_t count; (count = fread(text, 1, sizeof text, stdin)) > 0;) {
        for (size_t at = 0; at < count; at++) {
            hash = (hash ^ text[at]) * 0x01000193;
            uint32_t is_space = text[at] <= ' ';
            words += !is_space && !in_word;
            in_word = !is_space;
        }
    }
    if (ferror(stdin)) return 74;
    printf("%u %08x", words, hash);
    return fflush(stdout) == 0 ? 0 : 74;
}
