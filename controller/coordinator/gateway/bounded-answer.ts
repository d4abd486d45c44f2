/** Bounds the answer of an upstream: what is longer than it can be is cut, whatever it says. */

/** The same answer, whose body fails once it is longer than `bytesMax`, decompressed. */
export function boundedAnswer(answer: Response, bytesMax: number): Response {
  if (answer.body === null) return answer
  let sizeBytes = 0
  const bound = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      sizeBytes += chunk.byteLength
      if (sizeBytes > bytesMax) controller.error(new Error(`The answer is longer than ${bytesMax} bytes`))
      else controller.enqueue(chunk)
    },
  })
  const { status, statusText, headers } = answer
  return new Response(answer.body.pipeThrough(bound), { status, statusText, headers })
}
