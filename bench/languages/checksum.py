"""The number of words of a text and its FNV-1a hash, in Python: see plugins/fixtures/checksum."""

from tasklane import Context, task


@task(output="text")
def checksum(ctx: Context, input: bytes) -> str:
    hash, words, in_word = 0x811C9DC5, 0, False
    for byte in input:
        hash = ((hash ^ byte) * 0x01000193) & 0xFFFFFFFF
        is_space = byte <= 32
        if not is_space and not in_word:
            words += 1
        in_word = not is_space
    return f"{words} {hash:08x}"
