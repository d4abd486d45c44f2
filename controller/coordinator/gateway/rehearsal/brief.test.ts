/** What the rehearsal model reads out of a brief, however it is written. */
import { describe, expect, it } from 'vitest'
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { briefOf, type Brief } from './brief.ts'
import { datedStatement, datesIn } from './dates.ts'
import { sectionsOf, sentencesOf } from './markdown.ts'
import { ofReader, shortNoun, toReader } from './phrases.ts'
import { topicOf } from './topics.ts'
import { wishesOf } from './wishes.ts'

const taskOf = (overrides: Partial<PromptContent>): PromptContent => ({
  type: 'plan_campaign',
  description: 'Plan it.',
  tenant: { name: 'northwind', displayName: 'Northwind' },
  brand: {},
  persona: { name: 'director', description: '', prompt: '' },
  handOffTargets: [],
  context: [],
  feedback: [],
  ...overrides,
})
const read = (brief: string): Brief => briefOf(taskOf({ project: { name: 'p', displayName: 'Spring', brief } }))

const LOOSE = `We are launching Pawtrack, a collar that shows where your dog is, on 1 March 2027. It is for dog owners in
cities who let their dogs run free in parks. Today they shout and hope. We want them to know that they can find their
dog within a minute, and to order one before the summer. Battery lasts 30 days. We will post on Instagram and send a
newsletter on 1 March. Budget is 8,000 pounds. Success would be 500 orders by the end of April.`

const LABELS = `Product: Fieldnote, a notebook for engineers
Audience: civil engineers who write on site in the rain
Goal: 300 pre-orders by 15 May 2027
- **Key message:** Write in the rain and scan it at night
- **Channels:** LinkedIn, newsletter
- **Budget:** €5,000
- **Launch:** 2 May 2027`

const PLAIN_MAIL = `OBJECTIVE

Get small bakeries to try Ovenly.

Who is it for?

Owners of small bakeries, who order flour by phone at night.

ABOUT

Ovenly orders flour when the bin is low.

| Date | Channel |
|---|---|
| 4 May 2027 | landing page |
| 6 May 2027 | press release |`

const GERMAN = `# Markteinführung Wärmeblick am 3. März 2027

## Das Produkt
Wärmeblick ist eine App, die zeigt, wo ein Haus Wärme verliert. Sie braucht nur ein Handy und eine Stunde.

## Zielgruppe
Hausbesitzer in Bayern mit Häusern aus den Jahren 1960 bis 1990, die hohe Heizkosten haben.

## Ziele
- 2.000 Anmeldungen bis 30. Juni 2027

## Kanäle und Termine
- 10. März: Newsletter

## Budget
20.000 Euro`

const FRENCH = `## Le produit
Lumo est une lampe qui suit la lumière du jour.

## Pour qui
Les architectes d'intérieur à Lyon et à Paris.

## Objectifs
- 100 essais avant le 1er juin 2027`

describe('brief reader', () => {
  it('RH10 reads one loose paragraph by what its sentences say', () => {
    expect(read(LOOSE)).toMatchObject({
      product: 'Pawtrack',
      phrase: 'a collar that shows where your dog is',
      audience: 'dog owners in cities who let their dogs run free in parks',
      pains: ['Today they shout and hope.'],
      promise: 'Find your dog within a minute',
      action: 'Order one before the summer',
      proofs: [{ text: 'Battery lasts 30 days.' }],
      launch: '1 March 2027',
      budget: ['Budget is 8,000 pounds.'],
      measures: ['Success would be 500 orders by the end of April.'],
      pieces: [{ kind: 'email' }, { kind: 'posts' }],
    })
  })

  it('RH10 reads labels in lines and in list items', () => {
    expect(read(LABELS)).toMatchObject({
      product: 'Fieldnote',
      phrase: 'a notebook for engineers',
      audience: 'civil engineers who write on site in the rain',
      promise: 'Write in the rain and scan it at night',
      proofs: [],
      action: 'Order yours',
      launch: '2 May 2027',
      budget: ['€5,000'],
      measures: ['300 pre-orders by 15 May 2027'],
    })
  })

  it('RH10 reads a plain mail with capitals for headings and a table of dates', () => {
    expect(read(PLAIN_MAIL)).toMatchObject({
      product: 'Ovenly',
      audience: 'owners of small bakeries',
      pains: ['They order flour by phone at night.'],
      action: 'Try Ovenly',
      moments: [
        { date: '4 May 2027', what: 'landing page' },
        { date: '6 May 2027', what: 'press release' },
      ],
    })
  })

  it('RH10 reads German and French briefs and says in which language they are', () => {
    expect(read(GERMAN)).toMatchObject({
      language: 'German',
      product: 'Wärmeblick',
      phrase: 'eine App, die zeigt, wo ein Haus Wärme verliert',
      audience: 'Hausbesitzer in Bayern mit Häusern aus den Jahren 1960 bis 1990',
      launch: '3. März 2027',
      budget: ['20.000 Euro'],
      measures: ['2.000 Anmeldungen bis 30. Juni 2027'],
      moments: [{ date: '10. März', what: 'Newsletter' }],
    })
    expect(read(FRENCH)).toMatchObject({
      language: 'French',
      product: 'Lumo',
      phrase: 'une lampe qui suit la lumière du jour',
    })
  })

  it('RH10 a task without a project is its own brief, and passes it on by its input', () => {
    const description =
      'Write a blog post of 600 words: how one query found a leak. For engineers who own a database. End with how to try Sieve on one table. Sieve finds leaks.'
    const expected = {
      subject: 'how one query found a leak',
      audience: 'engineers who own a database',
      action: 'Try Sieve on one table',
      product: 'Sieve',
      wordsAsked: '600 words',
      pieces: [{ kind: 'blog-post', count: 1 }],
    }
    expect(briefOf(taskOf({ description }))).toMatchObject(expected)
    expect(briefOf(taskOf({ description: 'Edit it.', input: { brief: description } }))).toMatchObject(expected)
  })

  it('RH10 fills nothing in where the brief says nothing', () => {
    expect(read('Make something nice.')).toMatchObject({
      isProductNamed: false,
      audience: undefined,
      promise: undefined,
      action: undefined,
      proofs: [],
      moments: [],
      launch: undefined,
    })
  })

  it.each([
    ['Whom it is for', 'audience'],
    ['Target group', 'audience'],
    ['Targets and KPIs', 'measures'],
    ['How we know that it worked', 'measures'],
    ['What must be different afterwards', 'change'],
    ['Facts that may be used', 'facts'],
    ['Channels and dates', 'channels'],
    ['Out of scope', 'limits'],
    ['Zielgruppe', 'audience'],
    ['Ziele', 'change'],
    ['Pour qui', 'audience'],
    ['Preuves', 'facts'],
    ['Lorem', undefined],
  ])('RH10 a heading “%s” is about %s', (heading, topic) => {
    expect(topicOf(heading)).toBe(topic)
  })

  it.each([
    ['10 to 26 February, then 9 March 2027', ['10 to 26 February', '9 March 2027']],
    ['2027-02-09 or 9.2.2027', ['2027-02-09', '9.2.2027']],
    ['February 9, 2027 and Q1 2027', ['February 9, 2027', 'Q1 2027']],
    ['am 3. März 2027, le 1er juin', ['3. März 2027', '1er juin']],
    ['Marching 40 miles, maybe 3', []],
  ])('RH10 the dates of “%s”', (text, dates) => {
    expect(datesIn(text)).toEqual(dates)
  })

  it('RH10 reads words, sentences and items as people write them', () => {
    expect(datedStatement('12 January: a mail')).toEqual({ date: '12 January', what: 'a mail' })
    expect(toReader('They trust their own eyes')).toBe('You trust your own eyes')
    expect(ofReader('book a trial of your own')).toBe('book a trial of their own')
    expect(shortNoun('site managers at firms with 20 people')).toBe('site managers at firms')
    expect(sentencesOf('Dr. May came on 9. Februar. She left.')).toEqual(['Dr. May came on 9. Februar.', 'She left.'])
    expect(sectionsOf('- one\n  goes on\n- two')[0]?.items).toEqual(['one goes on', 'two'])
    expect(wishesOf(['They see that they can pay by phone. ']).promise).toBe('Pay by phone')
    expect(wishesOf(['Increase awareness by 20 %']).promise).toBeUndefined()
  })
})
