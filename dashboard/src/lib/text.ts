// Text that others wrote, made safe to look at and safe to paste. Svelte escapes markup; this is about what hides or reorders.

// C0 and C1 controls but tab and line feed; bidirectional controls; zero-width characters; the byte order mark; line separators.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** The same with each hidden character shown as its code, such as `⟨U+202E⟩`. */
export function plain(text: string): string {
  return text.replace(HIDDEN, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`)
}

/** As one word of a POSIX shell. */
export const shell = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

/** The first line, cut. */
export function headline(text: string, max = 160): string {
  const line = plain(text.split('\n', 1)[0] ?? '')
  return line.length > max ? `${line.slice(0, max)}…` : line
}

/** Copies also where the clipboard is closed to pages, as on plain HTTP. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.className = 'sr'
    ;(document.querySelector('dialog[open]') ?? document.body).append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}
