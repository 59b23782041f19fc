# Completions of crm for fish. `crm completions --help` says where this file goes.
function __crm_complete
    set -l current (commandline --current-token)
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    for line in (command crm __complete fish $words "$current" 2>/dev/null)
        set -l word (string split --max 1 \t -- $line)[1]
        switch "$word"
            case /files /folders
                set -l before (string match --regex -- '^--[^=]*=' $current)
                set -l begun (string replace --regex -- '^--[^=]*=' '' $current)
                if test "$word" = /files
                    printf '%s\n' "$before"(__fish_complete_path "$begun")
                else
                    printf '%s\n' "$before"(__fish_complete_directories "$begun")
                end
            case '*'
                printf '%s\n' $line
        end
    end
end
complete --command crm --no-files --keep-order --arguments '(__crm_complete)'
