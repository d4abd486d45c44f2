/** Pure: the version that a sprite announces; equal to package.json's, which a test checks. */
/** The version that a sprite announces. */
export const SPRITE_VERSION = '0.1.0'
