/** Encodes an OpenAPI v2 document as the protobuf message openapi.v2.Document of google/gnostic. Pure. */

/** How clients ask for it, and how it must be answered: with the at sign Go cannot read the Content-Type. */
export const OPENAPI_V2_ASKED = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
/** The Content-Type of OpenAPI v2 as protobuf. */
export const OPENAPI_V2_ANSWERED = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/** The bytes of one field, tag included. */
type Field = (number: number, value: unknown) => Buffer
/** The bytes of a message, without a tag. */
type Message = (value: unknown) => Buffer

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}

const tag = (number: number, wireType: number): Buffer => varint(number * 8 + wireType)
const delimited = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([tag(number, 2), varint(bytes.length), bytes])
const entriesOf = (value: unknown): readonly (readonly [string, unknown])[] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : []
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])

const text: Field = (number, value) => delimited(number, Buffer.from(String(value)))
const bool: Field = (number, value) => (value === true ? Buffer.concat([tag(number, 0), varint(1)]) : Buffer.alloc(0))
const int: Field = (number, value) => Buffer.concat([tag(number, 0), varint(Number(value))])
const double: Field = (number, value) => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(Number(value))
  return Buffer.concat([tag(number, 1), bytes])
}
/** Any holds a value as YAML; JSON is YAML. */
const any: Field = (number, value) => delimited(number, text(2, JSON.stringify(value)))
const each =
  (field: Field): Field =>
  (number, value) =>
    Buffer.concat(listOf(value).map((item) => field(number, item)))
const of =
  (message: () => Message): Field =>
  (number, value) =>
    delimited(number, message()(value))
/** A message that holds nothing but `field` at `inner`. */
const wrapped =
  (inner: number, field: Field): Field =>
  (number, value) =>
    delimited(number, field(inner, value))
/** A map as a list of messages {name = 1, value = 2}. */
const named =
  (field: Field): Field =>
  (number, value) =>
    Buffer.concat(
      entriesOf(value).map(([name, member]) => delimited(number, Buffer.concat([text(1, name), field(2, member)]))),
    )

/** A message by its members; what begins with x- goes to the field of vendor extensions, what is unknown is left out. */
const message =
  (members: Readonly<Record<string, readonly [number, Field]>>, extensions?: number): Message =>
  (value) =>
    Buffer.concat(
      entriesOf(value).map(([name, member]) => {
        const known = Object.hasOwn(members, name) ? members[name] : undefined
        if (known) return known[1](known[0], member)
        return name.startsWith('x-') && extensions !== undefined
          ? named(any)(extensions, { [name]: member })
          : Buffer.alloc(0)
      }),
    )

const schemaField = of(() => schema)
const additionalProperties: Field = (number, value) =>
  delimited(number, typeof value === 'boolean' ? bool(2, value) : schemaField(1, value))

const schema: Message = message(
  {
    $ref: [1, text],
    format: [2, text],
    title: [3, text],
    description: [4, text],
    default: [5, any],
    multipleOf: [6, double],
    maximum: [7, double],
    exclusiveMaximum: [8, bool],
    minimum: [9, double],
    exclusiveMinimum: [10, bool],
    maxLength: [11, int],
    minLength: [12, int],
    pattern: [13, text],
    maxItems: [14, int],
    minItems: [15, int],
    maxProperties: [17, int],
    minProperties: [18, int],
    required: [19, each(text)],
    enum: [20, each(any)],
    additionalProperties: [21, additionalProperties],
    type: [22, wrapped(1, each(text))],
    items: [23, wrapped(1, schemaField)],
    allOf: [24, each(schemaField)],
    properties: [25, wrapped(1, named(schemaField))],
  },
  31,
)

const bodyParameter = message({ name: [2, text], in: [3, text], required: [4, bool], schema: [5, schemaField] }, 6)
const plainParameter = (typeNumber: number): Message =>
  message({ required: [1, bool], in: [2, text], name: [4, text], type: [typeNumber, text] })
const queryParameter = plainParameter(6)
const pathParameter = plainParameter(5)

/** ParametersItem { Parameter { BodyParameter | NonBodyParameter { query = 3 | path = 4 } } }. */
const parameter: Field = (number, value) => {
  const place = entriesOf(value).find(([name]) => name === 'in')?.[1]
  if (place === 'body') return delimited(number, delimited(1, delimited(1, bodyParameter(value))))
  const bytes = place === 'path' ? delimited(4, pathParameter(value)) : delimited(3, queryParameter(value))
  return delimited(number, delimited(1, delimited(2, bytes)))
}

const response = message({ description: [1, text], schema: [2, wrapped(1, schemaField)] }, 5)

const operation = message(
  {
    operationId: [5, text],
    produces: [6, each(text)],
    consumes: [7, each(text)],
    parameters: [8, each(parameter)],
    responses: [
      9,
      wrapped(
        1,
        named(
          wrapped(
            1,
            of(() => response),
          ),
        ),
      ),
    ],
  },
  13,
)
const operationField = of(() => operation)

const pathItem = message(
  {
    get: [2, operationField],
    put: [3, operationField],
    post: [4, operationField],
    delete: [5, operationField],
    patch: [8, operationField],
    parameters: [9, each(parameter)],
  },
  10,
)

/** The protobuf form of an OpenAPI v2 document. */
export const encodeOpenapiV2: Message = message({
  swagger: [1, text],
  info: [2, of(() => message({ title: [1, text], version: [2, text] }))],
  paths: [8, wrapped(2, named(of(() => pathItem)))],
  definitions: [9, wrapped(1, named(schemaField))],
})
