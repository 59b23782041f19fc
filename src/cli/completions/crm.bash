# Completions of crm for bash. `crm completions --help` says where this file goes.
_crm() {
    local line candidate
    COMPREPLY=()
    while IFS= read -r line; do
        case "$line" in
        /files)
            compopt -o default -o filenames 2>/dev/null
            COMPREPLY=()
            return
            ;;
        /folders)
            compopt -o dirnames -o filenames 2>/dev/null
            COMPREPLY=()
            return
            ;;
        *) COMPREPLY+=("$line") ;;
        esac
    done < <(command crm __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    for candidate in "${COMPREPLY[@]}"; do
        case "$candidate" in
        *[=:.]) compopt -o nospace 2>/dev/null ;;
        esac
    done
}
complete -F _crm crm
