// Numbers, sizes and durations for people.

const whole = new Intl.NumberFormat('en-US')
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })

export const count = (value: number): string => whole.format(value)

/** `1.2K`, `17M`; exact below 10,000. */
export const short = (value: number): string => (Math.abs(value) < 10_000 ? whole.format(Math.round(value)) : compact.format(value))

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = value
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}

/** Milliseconds as `0.4 ms`, `12 ms`, `3.1 s`, `2m 5s`. */
export function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`
  if (ms < 10) return `${ms.toFixed(1)} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes}m ${Math.floor((ms % 60_000) / 1_000)}s`
  return `${Math.floor(minutes / 60)}h ${minutes % 60}m`
}

export function percent(part: number): string {
  const value = part * 100
  if (value > 0 && value < 1) return `${value.toFixed(2)} %`
  if (value > 99 && value < 100) return `${(Math.floor(value * 100) / 100).toFixed(2)} %`
  return `${value.toFixed(value >= 10 ? 0 : 1)} %`
}

/** Per second, with as many digits as mean something. */
export const rate = (value: number): string => (value === 0 ? '0' : value < 10 ? value.toFixed(1) : short(value))

/** The value below which `part` of the sorted values lie. */
export function quantile(sorted: number[], part: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
}

export const plural = (number: number, one: string, many = `${one}s`): string => `${count(number)} ${number === 1 ? one : many}`

/** The start of an id that is enough to tell it from others on the screen: its random end. */
export const shortId = (id: string): string => (id.length > 13 ? `…${id.slice(-8)}` : id)
