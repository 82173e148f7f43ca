// JSON for people: laid out anew from its own text, so that numbers keep every digit, and cut into coloured pieces.

export interface Piece {
  kind: 'key' | 'text' | 'number' | 'word' | 'mark'
  text: string
}

const TOKEN = /\s+|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/gy

/** Longest text that is laid out; a longer one is shown as it is. */
export const LAID_OUT_MAX = 256 * 1024
const PIECES_MAX = 20_000

function tokens(source: string): string[] | undefined {
  const found: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source)
    if (match === null || found.length > PIECES_MAX) return undefined
    if (match[0].trim() !== '') found.push(match[0])
  }
  return found
}

const kindOf = (token: string, next: string | undefined): Piece['kind'] => {
  if (token.startsWith('"')) return next === ':' ? 'key' : 'text'
  if (/^[-\d]/.test(token)) return 'number'
  return /^[a-z]/.test(token) ? 'word' : 'mark'
}

/** The pieces of a JSON text, indented; `undefined` if it is none, or too large. */
export function layOut(source: string): Piece[] | undefined {
  if (source.length > LAID_OUT_MAX) return undefined
  try {
    JSON.parse(source)
  } catch {
    return undefined
  }
  const found = tokens(source)
  if (found === undefined) return undefined
  const pieces: Piece[] = []
  let depth = 0
  const line = () => pieces.push({ kind: 'mark', text: `\n${'  '.repeat(depth)}` })
  found.forEach((token, at) => {
    const next = found[at + 1]
    const closes = token === '}' || token === ']'
    const emptied = closes && (found[at - 1] === '{' || found[at - 1] === '[')
    if (closes) {
      depth -= 1
      if (!emptied) line()
    }
    pieces.push({ kind: kindOf(token, next), text: token === ':' ? ': ' : token })
    if (token === '{' || token === '[') {
      depth += 1
      if (next !== '}' && next !== ']') line()
    }
    if (token === ',') line()
  })
  return pieces
}
