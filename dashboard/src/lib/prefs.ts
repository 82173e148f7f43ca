// What this browser remembers. Without storage (private windows) everything works and is forgotten.

export function recall<T>(name: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`tasklane.${name}`)
    return text === null ? otherwise : (JSON.parse(text) as T)
  } catch {
    return otherwise
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(`tasklane.${name}`, JSON.stringify(value))
  } catch {
    // Forgotten, then.
  }
}
