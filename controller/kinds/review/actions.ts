/** Decides whether a review may be answered by a person now, and what is declared for it. Pure. */
import { findCondition } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { inTheWay, type ActionVerdict } from '../action.ts'
import { PERSON, type Review, type ReviewSpec } from './schema.ts'

type Answer = NonNullable<ReviewSpec['answer']>

/** The schema takes no longer name. */
const BY_CHARS_MAX = 254

/** The caller's answer; the same one again, by whomever, changes nothing. */
export function judgeAnswer(review: Review, answer: Omit<Answer, 'by'>, by: string): ActionVerdict {
  if (isDeleting(review)) return inTheWay('it is being deleted')
  const { spec, status } = review
  const given = spec.answer ?? (status?.phase === 'Answered' ? status : undefined)
  if (given !== undefined) {
    const isSame = given.verdict === answer.verdict && (given.comment ?? '') === (answer.comment ?? '')
    return isSame
      ? { do: 'nothing' }
      : inTheWay(`it is answered already: ${given.verdict ?? ''} by ${given.by ?? PERSON}`)
  }
  if (status?.phase === 'Closed') return inTheWay(`work ${spec.work} ended before an answer came`)
  if (spec.reviewer !== PERSON && !isLeftToPerson(review))
    return inTheWay(`the ${spec.reviewer} is to answer it, in work ${status?.work ?? '(not made yet)'}; wait for that`)
  const { verdict, comment } = answer
  const said = { verdict, ...(comment === undefined ? {} : { comment }), by: by.slice(0, BY_CHARS_MAX) }
  return { do: 'change', patch: { spec: { answer: said } } }
}

const isLeftToPerson = ({ status }: Review): boolean =>
  findCondition(status?.conditions, 'Ready')?.reason === 'ReviewFailed'
