/** Reads the Warning headers of an answer (RFC 7234 §5.5): what the server says of a write. Pure. */

const WARNING = /^299 \S+ "((?:[^"\\]|\\.)*)"/s

/** The texts of warnings, in order; what is malformed is left out. */
export const warningsIn = (headers: readonly string[]): readonly string[] =>
  headers.flatMap((header) => {
    const text = WARNING.exec(header)?.[1]
    // Node gives each byte of a header as one character.
    return text === undefined ? [] : [Buffer.from(text.replaceAll(/\\(.)/gs, '$1'), 'latin1').toString('utf8')]
  })

/** How a warning is shown, as kubectl shows it. */
export const warningLine = (text: string): string => `Warning: ${text}\n`
