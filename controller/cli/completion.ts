/** The scripts by which shells ask spritectl what may follow. Pure. */

/** The shells that completion is written for. */
export const SHELLS = ['bash', 'zsh'] as const
/** A shell that completion is written for. */
export type Shell = (typeof SHELLS)[number]

/** The hidden command that the scripts run: `spritectl __complete WORD… PARTIAL` prints one proposal a line. */
export const COMPLETE_COMMAND = '__complete'

/** A script to be sourced. Files are proposed where spritectl proposes nothing. */
export const completionScript = (shell: Shell): string => (shell === 'bash' ? BASH : ZSH)

const BASH = `# Completion of spritectl for bash: source <(spritectl completion bash)
_spritectl() {
  local IFS=$'\\n'
  COMPREPLY=($(spritectl ${COMPLETE_COMMAND} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _spritectl spritectl
`

const ZSH = `#compdef spritectl
# Completion of spritectl for zsh: spritectl completion zsh > "\${fpath[1]}/_spritectl"
_spritectl() {
  local -a found
  found=(\${(f)"$(spritectl ${COMPLETE_COMMAND} "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = "_spritectl" ]; then _spritectl "$@"; else compdef _spritectl spritectl; fi
`
