#compdef crm
# Completions of crm for zsh. `crm completions --help` says where this file goes.
_crm() {
    local line word
    local -a plain plain_shown open open_shown
    for line in "${(@f)$(command crm __complete zsh "${(@Q)words[1,CURRENT]}" 2>/dev/null)}"; do
        word="${line%%$'\t'*}"
        case "$word" in
        "") ;;
        /files)
            compset -P '--*='
            _files
            return
            ;;
        /folders)
            compset -P '--*='
            _files -/
            return
            ;;
        *[=:.])
            open+=("$word")
            open_shown+=("${word}  ${line#*$'\t'}")
            ;;
        *)
            plain+=("$word")
            plain_shown+=("${word}  ${line#*$'\t'}")
            ;;
        esac
    done
    (( $#plain )) && compadd -V crm -l -d plain_shown -a plain
    (( $#open )) && compadd -V crm -l -S '' -d open_shown -a open
}
if [ "$funcstack[1]" = "_crm" ]; then
    _crm "$@"
else
    compdef _crm crm
fi
