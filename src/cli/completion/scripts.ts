/** The completion scripts: each asks `tsbox __complete` and hands its lines to the shell. */

/**
 * bash divides words at the characters of COMP_WORDBREAKS, among them = and :, and replaces only what stands after the
 * last of them: the words are put together again, and what stands before is cut off the answers.
 */
const BASH = `# eval "$(tsbox completion bash)", or a file tsbox in ~/.local/share/bash-completion/completions
_tsbox() {
  local line=$COMP_LINE words=() word rest i mark head cut='' also='' value text
  line=\${line:0:COMP_POINT}
  for ((i = 0; i <= COMP_CWORD; i++)); do
    rest=\${line#"\${line%%[![:space:]]*}"}
    word=\${COMP_WORDS[i]}
    if ((i == COMP_CWORD)); then
      word=$rest
    fi
    if ((i > 0)) && [[ $rest == "$line" ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    line=\${rest#"$word"}
  done
  words=("\${words[@]//[\\"\\'\\\\]/}")
  word=\${words[\${#words[@]} - 1]}
  for mark in : =; do
    head=\${word%"$mark"*}$mark
    if [[ $COMP_WORDBREAKS == *"$mark"* && $word == *"$mark"* ]] && ((\${#head} > \${#cut})); then
      cut=$head
    fi
  done
  COMPREPLY=()
  {
    IFS= read -r also
    while IFS=$'\\t' read -r value text; do
      value=\${value#"$cut"}
      if [[ $value == *[!a-zA-Z0-9_./:=,@%+-]* ]]; then
        printf -v value %q "$value"
      fi
      COMPREPLY+=("$value")
    done
  } < <(tsbox __complete "\${words[@]:1}" 2>/dev/null)
  if ((\${#COMPREPLY[@]} == 1)) && [[ \${COMPREPLY[0]} == *[:=] ]]; then
    compopt -o nospace
  fi
  case $also in
    files) compopt -o default ;;
    directories) compopt -o dirnames ;;
  esac
}
complete -F _tsbox tsbox
`;

const ZSH = `#compdef tsbox
# source <(tsbox completion zsh) after compinit, or a file _tsbox in a directory of fpath
_tsbox() {
  local -a lines closed open
  local line value entry
  lines=("\${(@f)$(tsbox __complete "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  for line in "\${(@)lines[2,-1]}"; do
    value=\${line%%$'\\t'*}
    entry=\${value//:/\\\\:}
    if [[ $line == *$'\\t'* ]]; then
      entry+=":\${line#*$'\\t'}"
    fi
    if [[ $value == *[:=] ]]; then
      open+=("$entry")
    else
      closed+=("$entry")
    fi
  done
  (($#closed)) && _describe tsbox closed
  (($#open)) && _describe tsbox open -S ''
  case $lines[1] in
    files)
      compset -P '--*='
      _files
      ;;
    directories)
      compset -P '--*='
      _files -/
      ;;
  esac
}
if [[ $funcstack[1] == _tsbox ]]; then
  _tsbox "$@"
else
  compdef _tsbox tsbox
fi
`;

const FISH = `# tsbox completion fish | source, or a file tsbox.fish in ~/.config/fish/completions
function __tsbox_complete
    set -l before (commandline -opc)
    set -e before[1]
    set -l token (commandline -ct)
    set -l lines (tsbox __complete $before "$token" 2>/dev/null)
    set -l also $lines[1]
    set -e lines[1]
    string join \\n -- $lines
    set -l stem (string match -r '^--[^=]*=' -- "$token")
    set -l path (string replace -r '^--[^=]*=' '' -- "$token")
    switch "$also"
        case files
            for found in (__fish_complete_path "$path")
                echo "$stem$found"
            end
        case directories
            for found in (__fish_complete_directories "$path" '')
                echo "$stem$found"
            end
    end
end
complete -c tsbox -f -a '(__tsbox_complete)'
`;

export const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
