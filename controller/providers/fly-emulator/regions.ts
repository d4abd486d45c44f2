/** Pure: the regions of the emulator, and how an ordered list of codes and aliases is read. */

/** A region as the platform tells it. */
export type Region = {
  readonly code: string
  readonly name: string
  readonly geo_region: string
  readonly latitude: number
  readonly longitude: number
}

/** Some of Fly's. */
export const REGIONS: readonly Region[] = [
  { code: 'iad', name: 'Ashburn, Virginia (US)', geo_region: 'north_america', latitude: 39.02, longitude: -77.53 },
  { code: 'ord', name: 'Chicago, Illinois (US)', geo_region: 'north_america', latitude: 41.9, longitude: -87.91 },
  { code: 'sjc', name: 'San Jose, California (US)', geo_region: 'north_america', latitude: 37.35, longitude: -121.92 },
  { code: 'yyz', name: 'Toronto, Canada', geo_region: 'north_america', latitude: 43.65, longitude: -79.38 },
  { code: 'ams', name: 'Amsterdam, Netherlands', geo_region: 'europe', latitude: 52.37, longitude: 4.89 },
  { code: 'fra', name: 'Frankfurt, Germany', geo_region: 'europe', latitude: 50.16, longitude: 8.6 },
  { code: 'lhr', name: 'London, United Kingdom', geo_region: 'europe', latitude: 51.51, longitude: -0.59 },
  { code: 'gru', name: 'Sao Paulo, Brazil', geo_region: 'south_america', latitude: -23.56, longitude: -46.64 },
  { code: 'sin', name: 'Singapore, Singapore', geo_region: 'asia_pacific', latitude: 1.35, longitude: 103.86 },
  { code: 'nrt', name: 'Tokyo, Japan', geo_region: 'asia_pacific', latitude: 35.77, longitude: 140.39 },
  { code: 'syd', name: 'Sydney, Australia', geo_region: 'oceania', latitude: -33.87, longitude: 151.2 },
  { code: 'jnb', name: 'Johannesburg, South Africa', geo_region: 'africa', latitude: -26.2, longitude: 28.04 },
]

/** Where a machine goes that names no region. */
export const NEAREST = 'iad'

const within = (geo: string): readonly string[] =>
  REGIONS.filter((region) => region.geo_region === geo).map((region) => region.code)

const ALIASES: ReadonlyMap<string, readonly string[]> = new Map([
  ['any', REGIONS.map((region) => region.code)],
  ['us', REGIONS.filter((region) => region.name.endsWith('(US)')).map((region) => region.code)],
  ['na', within('north_america')],
  ['eu', within('europe')],
  ['sa', within('south_america')],
  ['apac', [...within('asia_pacific'), ...within('oceania')]],
  ['af', within('africa')],
])

/** The codes of a list such as "iad,us,any", in order, each once; a code that is unknown stands for itself. */
export const regionsOf = (list: string): readonly string[] => [
  ...new Set(
    list
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
      .flatMap((word) => ALIASES.get(word) ?? [word]),
  ),
]
