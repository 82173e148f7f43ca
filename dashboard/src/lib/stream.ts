// Server-sent events out of an answer's body. Unlike EventSource, whoever asks can show a token.

export interface Told {
  name: string
  data: string
  id: string
}

function read(block: string): Told {
  const told = { name: 'message', data: '', id: '' }
  for (const line of block.split('\n')) {
    const at = line.indexOf(':')
    const value = line.slice(at + 1).replace(/^ /, '')
    if (line.startsWith('event:')) told.name = value
    else if (line.startsWith('data:')) told.data += told.data === '' ? value : `\n${value}`
    else if (line.startsWith('id:')) told.id = value
  }
  return told
}

/** Each event, as it comes; ends with the body. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<Told> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const told = read(block)
      if (told.id !== '') yield told
    }
  }
}
