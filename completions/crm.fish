# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_crm_global_optspecs
    string join \n db= url= config= o/output= token-file= token= h/help V/version
end

function __fish_crm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_crm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_crm_using_subcommand
    set -l cmd (__fish_crm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c crm -n "__fish_crm_needs_command" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_needs_command" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_needs_command" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_needs_command" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_needs_command" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_needs_command" -l token -r
complete -c crm -n "__fish_crm_needs_command" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_needs_command" -s V -l version -d 'Print version'
complete -c crm -n "__fish_crm_needs_command" -f -a "serve" -d 'Run the HTTP service'
complete -c crm -n "__fish_crm_needs_command" -f -a "token" -d 'Tokens, which control access to the service: create, list, revoke'
complete -c crm -n "__fish_crm_needs_command" -f -a "lead" -d 'A person to win: create, get, list, update, delete'
complete -c crm -n "__fish_crm_needs_command" -f -a "action" -d 'Something done with a lead, such as a mail or a call: create, get, list, update, delete'
complete -c crm -n "__fish_crm_needs_command" -f -a "process" -d 'A sequence of follow-ups with a lead, and the date of the next one: create, get, list, update, delete'
complete -c crm -n "__fish_crm_needs_command" -f -a "followups" -d 'Whom to contact next: the open processes, with their lead and their last action'
complete -c crm -n "__fish_crm_needs_command" -f -a "backup" -d 'Back up the database to a file'
complete -c crm -n "__fish_crm_needs_command" -f -a "restore" -d 'Restore the database from a backup'
complete -c crm -n "__fish_crm_needs_command" -f -a "check" -d 'Check that the database is whole'
complete -c crm -n "__fish_crm_needs_command" -f -a "copy" -d 'Copy everything into another database'
complete -c crm -n "__fish_crm_needs_command" -f -a "config" -d 'Show each setting and where it comes from'
complete -c crm -n "__fish_crm_needs_command" -f -a "health" -d 'Ask a running service whether it accepts writes'
complete -c crm -n "__fish_crm_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c crm -n "__fish_crm_needs_command" -f -a "help" -d 'Show a topic of the manual, or the help of a command'
complete -c crm -n "__fish_crm_needs_command" -f -a "man" -d 'Print the manual page of crm, or write all manual pages into a folder'
complete -c crm -n "__fish_crm_using_subcommand serve" -l host -d 'The address to listen on [env: HOST] [default: 0.0.0.0]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l port -d 'The port to listen on; 0 takes any free port [env: PORT] [default: 8000]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l backup-dir -d 'Back up the database into this folder at regular intervals [env: CRM_BACKUP_DIR] [config: backup_dir]' -r -f -a "(__fish_complete_directories)"
complete -c crm -n "__fish_crm_using_subcommand serve" -l backup-every -d 'The time between two backups, such as 30s, 15m, 1h, 1d or 1w [env: CRM_BACKUP_EVERY] [config: backup_every] [default: 1h]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l backup-keep -d 'How many of the newest backups to keep [env: CRM_BACKUP_KEEP] [config: backup_keep] [default: 24]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l tls-cert -d 'Serve HTTPS with this certificate and its chain, in PEM; read again when the file changes [env: CRM_TLS_CERT] [config: tls_cert]' -r -F
complete -c crm -n "__fish_crm_using_subcommand serve" -l tls-key -d 'The private key of the certificate, in PEM [env: CRM_TLS_KEY] [config: tls_key]' -r -F
complete -c crm -n "__fish_crm_using_subcommand serve" -l cors-origin -d 'Allow pages of this origin, such as https://app.example.com, to use the API; may be given several times [env: CRM_CORS_ORIGIN] [config: cors_origin]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l trusted-proxy -d 'Trust X-Forwarded-For from this proxy, an address or a network like 10.0.0.0/8; may be given several times [env: CRM_TRUSTED_PROXY] [config: trusted_proxy]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l allowed-host -d 'Also answer requests for this host, where the service listens on a loopback address and has no token; may be given several times [env: CRM_ALLOWED_HOST] [config: allowed_host]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l log -d 'The format of the log on standard error [env: CRM_LOG] [config: log] [default: text]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l max-body -d 'The largest body of a request, in bytes [env: CRM_MAX_BODY] [config: max_body] [default: 1m]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l max-head -d 'The largest head of a request (its first line and its headers), in bytes [env: CRM_MAX_HEAD] [config: max_head] [default: 64k]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l max-url -d 'The longest path of a request with its parameters, in bytes [env: CRM_MAX_URL] [config: max_url] [default: 63k]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l max-depth -d 'The most levels of objects and arrays in a body [env: CRM_MAX_DEPTH] [config: max_depth] [default: 127]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l max-connections -d 'The most connections at a time; above it a new one is closed at once, or an idle one of an address that has many more [env: CRM_MAX_CONNECTIONS] [config: max_connections] [default: 1024]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l max-connections-per-address -d 'The most connections of one address at a time; those of a trusted proxy do not count [env: CRM_MAX_CONNECTIONS_PER_ADDRESS] [config: max_connections_per_address] [default: 512]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l head-timeout -d 'How long the head of a request may take, from its first byte [env: CRM_HEAD_TIMEOUT] [config: head_timeout] [default: 10s]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l body-timeout -d 'How long the body of a request may take, from the end of its head [env: CRM_BODY_TIMEOUT] [config: body_timeout] [default: 30s]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l request-timeout -d 'How long a response may take to begin, from the end of the request [env: CRM_REQUEST_TIMEOUT] [config: request_timeout] [default: 1m]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l query-timeout -d 'How long the database may search for the next part of a list [env: CRM_QUERY_TIMEOUT] [config: query_timeout] [default: 30s]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l idle-timeout -d 'How long a connection may be idle between two requests [env: CRM_IDLE_TIMEOUT] [config: idle_timeout] [default: 75s]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l rate-per-token -d 'The most requests of one token in a second [env: CRM_RATE_PER_TOKEN] [config: rate_per_token] [default: off]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l rate-per-address -d 'The most requests of one address in a second [env: CRM_RATE_PER_ADDRESS] [config: rate_per_address] [default: off]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l max-waiting-writes -d 'The most writes that wait for the database at a time [env: CRM_MAX_WAITING_WRITES] [config: max_waiting_writes] [default: 4096]' -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand serve" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand serve" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand serve" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand serve" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand serve" -l token -r
complete -c crm -n "__fish_crm_using_subcommand serve" -l open -d 'Allow everyone to read and write, even if the database has tokens [env: CRM_OPEN] [config: open]'
complete -c crm -n "__fish_crm_using_subcommand serve" -l require-token -d 'Refuse access without a token, even if the database has no token yet [env: CRM_REQUIRE_TOKEN] [config: require_token]'
complete -c crm -n "__fish_crm_using_subcommand serve" -l quiet -d 'Log only warnings and errors, without a line for each request [env: CRM_QUIET] [config: quiet]'
complete -c crm -n "__fish_crm_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l token -r
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "create" -d 'Create a token and print it; it is never shown again'
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "list" -d 'List the tokens, without their secrets'
complete -c crm -n "__fish_crm_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "revoke" -d 'Revoke a token; it stops working at once'
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -l scope -d 'What its holder may do: read; write, which includes read; admin, which includes both and manages tokens' -r -f -a "read\t''
write\t''
admin\t''"
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -l expires -d 'When it expires: a duration from now like 90d, 12h or 2w, or a time [default: never]' -r
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -l token -r
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from list" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from list" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from list" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from list" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from list" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from list" -l token -r
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from revoke" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from revoke" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from revoke" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from revoke" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from revoke" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from revoke" -l token -r
complete -c crm -n "__fish_crm_using_subcommand token; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -l token -r
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -f -a "create" -d 'Create a lead'
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -f -a "get" -d 'Show leads by their ids'
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -f -a "list" -d 'List leads'
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -f -a "update" -d 'Change the given fields of leads'
complete -c crm -n "__fish_crm_using_subcommand lead; and not __fish_seen_subcommand_from create get list update delete" -f -a "delete" -d 'Delete leads'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l email -d 'The e-mail address, international ones included (required)' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l name -d 'The person\'s name' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l status -d 'Status, any word [default: new]' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l attributes -d 'Your own fields, a JSON object' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l set -d 'Set an attribute to a text, or with KEY:=JSON to any JSON value' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l json -d 'Read the record from a file with a JSON object instead of flags; - is standard input' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l on-duplicate -d 'What to do if a lead already has the address' -r -f -a "create\t''
reject\t''
update\t''"
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -l token -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -l token -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -l etag -d 'Print only the ETag, which changes with each change of the record'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l id -d 'Filter by id' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l email -d 'Filter by email' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l name -d 'Filter by name' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l status -d 'Filter by status' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l attributes -d 'Filter by all attributes as one text; for one attribute use --where attributes.KEY=…' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l created-at -d 'Filter by created_at' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l updated-at -d 'Filter by updated_at' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l where -d 'A filter in the form of the API, such as status=ne:lost or attributes.company=Acme' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l q -d 'Find a text in any of the text fields, ignoring case' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l sort -d 'Sort by these comma-separated fields; a - before a field means descending order [default: id]' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l limit -d 'The largest number of records to list' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l after -d 'Continue after a page: the cursor from below its table or from the API\'s Link header' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l token -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -l count -d 'Print only the number of records'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l email -d 'The e-mail address, international ones included' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l name -d 'The person\'s name' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l status -d 'Status, any word' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l attributes -d 'Your own fields, a JSON object' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l set -d 'Set an attribute to a text, or with KEY:=JSON to any JSON value' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l unset -d 'Remove an attribute' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l clear -d 'Set a field to null' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l json -d 'Read the record from a file with a JSON object instead of flags; - is standard input' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l if-match -d 'Only if the lead still has this ETag, which `lead get ID --etag` prints' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -l token -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -l if-match -d 'Only if the lead still has this ETag, which `lead get ID --etag` prints' -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -l token -r
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -s y -l yes -d 'Do not ask for confirmation'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -l cascade -d 'Also delete the actions and processes of the lead'
complete -c crm -n "__fish_crm_using_subcommand lead; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -l token -r
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -f -a "create" -d 'Create an action'
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -f -a "get" -d 'Show actions by their ids'
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -f -a "list" -d 'List actions'
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -f -a "update" -d 'Change the given fields of actions'
complete -c crm -n "__fish_crm_using_subcommand action; and not __fish_seen_subcommand_from create get list update delete" -f -a "delete" -d 'Delete actions'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l lead-id -l lead -d 'The lead it is about' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l action-type -l type -d 'What was done, any word (required)' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l details -l description -d 'What it was about' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l timestamp -l at -d 'When it happened, UTC [default: now]; also now, today, tomorrow, +3d, -2h, fri' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l attributes -d 'Your own fields, a JSON object' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l set -d 'Set an attribute to a text, or with KEY:=JSON to any JSON value' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l json -d 'Read the record from a file with a JSON object instead of flags; - is standard input' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -l token -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -l token -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -l etag -d 'Print only the ETag, which changes with each change of the record'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l id -d 'Filter by id' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l lead-id -l lead -d 'Filter by lead_id' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l action-type -l type -d 'Filter by action_type' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l details -l description -d 'Filter by details' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l timestamp -l at -d 'Filter by timestamp' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l attributes -d 'Filter by all attributes as one text; for one attribute use --where attributes.KEY=…' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l created-at -d 'Filter by created_at' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l updated-at -d 'Filter by updated_at' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l where -d 'A filter in the form of the API, such as status=ne:lost or attributes.company=Acme' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l q -d 'Find a text in any of the text fields, ignoring case' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l sort -d 'Sort by these comma-separated fields; a - before a field means descending order [default: id]' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l limit -d 'The largest number of records to list' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l after -d 'Continue after a page: the cursor from below its table or from the API\'s Link header' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l token -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -l count -d 'Print only the number of records'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l lead-id -l lead -d 'The lead it is about' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l action-type -l type -d 'What was done, any word' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l details -l description -d 'What it was about' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l timestamp -l at -d 'When it happened, UTC; also now, today, tomorrow, +3d, -2h, fri' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l attributes -d 'Your own fields, a JSON object' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l set -d 'Set an attribute to a text, or with KEY:=JSON to any JSON value' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l unset -d 'Remove an attribute' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l clear -d 'Set a field to null' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l json -d 'Read the record from a file with a JSON object instead of flags; - is standard input' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l if-match -d 'Only if the action still has this ETag, which `action get ID --etag` prints' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -l token -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -l if-match -d 'Only if the action still has this ETag, which `action get ID --etag` prints' -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -l token -r
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -s y -l yes -d 'Do not ask for confirmation'
complete -c crm -n "__fish_crm_using_subcommand action; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -l token -r
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -f -a "create" -d 'Create a process'
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -f -a "get" -d 'Show processes by their ids'
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -f -a "list" -d 'List processes'
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -f -a "update" -d 'Change the given fields of processes'
complete -c crm -n "__fish_crm_using_subcommand process; and not __fish_seen_subcommand_from create get list update delete" -f -a "delete" -d 'Delete processes'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l name -d 'What the process is called (required)' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l lead-id -l lead -d 'The lead it is about' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l channel -d 'How the lead is contacted, any word' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l last-action-id -l last-action -d 'The action that was done last' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l next-followup-datetime -l next -d 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l status -d 'Status, any word [default: active]' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l attributes -d 'Your own fields, a JSON object' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l set -d 'Set an attribute to a text, or with KEY:=JSON to any JSON value' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l json -d 'Read the record from a file with a JSON object instead of flags; - is standard input' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -l token -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -l token -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -l etag -d 'Print only the ETag, which changes with each change of the record'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l id -d 'Filter by id' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l name -d 'Filter by name' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l lead-id -l lead -d 'Filter by lead_id' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l channel -d 'Filter by channel' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l last-action-id -l last-action -d 'Filter by last_action_id' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l next-followup-datetime -l next -d 'Filter by next_followup_datetime' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l status -d 'Filter by status' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l attributes -d 'Filter by all attributes as one text; for one attribute use --where attributes.KEY=…' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l created-at -d 'Filter by created_at' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l updated-at -d 'Filter by updated_at' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l where -d 'A filter in the form of the API, such as status=ne:lost or attributes.company=Acme' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l q -d 'Find a text in any of the text fields, ignoring case' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l sort -d 'Sort by these comma-separated fields; a - before a field means descending order [default: id]' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l limit -d 'The largest number of records to list' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l after -d 'Continue after a page: the cursor from below its table or from the API\'s Link header' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l token -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -l count -d 'Print only the number of records'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l name -d 'What the process is called' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l lead-id -l lead -d 'The lead it is about' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l channel -d 'How the lead is contacted, any word' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l last-action-id -l last-action -d 'The action that was done last' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l next-followup-datetime -l next -d 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l status -d 'Status, any word' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l attributes -d 'Your own fields, a JSON object' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l set -d 'Set an attribute to a text, or with KEY:=JSON to any JSON value' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l unset -d 'Remove an attribute' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l clear -d 'Set a field to null' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l json -d 'Read the record from a file with a JSON object instead of flags; - is standard input' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l if-match -d 'Only if the process still has this ETag, which `process get ID --etag` prints' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -l token -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -l if-match -d 'Only if the process still has this ETag, which `process get ID --etag` prints' -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -l token -r
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -s y -l yes -d 'Do not ask for confirmation'
complete -c crm -n "__fish_crm_using_subcommand process; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand followups" -l id -d 'Filter by id' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l next-followup-datetime -l next -d 'Filter by next_followup_datetime' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l lead-name -d 'Filter by lead_name' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l lead-email -d 'Filter by lead_email' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l name -d 'Filter by name' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l last-action-type -d 'Filter by last_action_type' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l last-action-timestamp -l last-action-at -d 'Filter by last_action_timestamp' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l status -d 'Filter by status' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l channel -d 'Filter by channel' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l lead-status -d 'Filter by lead_status' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l lead-id -l lead -d 'Filter by lead_id' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l where -d 'A filter in the form of the API, such as status=ne:active' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l q -d 'Find a text in any of the text fields, ignoring case' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l sort -d 'Sort by these comma-separated fields; a - before a field means descending order [default: next_followup_datetime]' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l limit -d 'The largest number of records to list' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l after -d 'Continue after a page: the cursor from below its table or from the API\'s Link header' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l fields -d 'Show only these fields, in this order, comma-separated' -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand followups" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand followups" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand followups" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand followups" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand followups" -l token -r
complete -c crm -n "__fish_crm_using_subcommand followups" -l count -d 'Print only the number of records'
complete -c crm -n "__fish_crm_using_subcommand followups" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand backup" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand backup" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand backup" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand backup" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand backup" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand backup" -l token -r
complete -c crm -n "__fish_crm_using_subcommand backup" -l force -d 'Replace the file if it exists'
complete -c crm -n "__fish_crm_using_subcommand backup" -s q -l quiet -d 'Print only errors and warnings'
complete -c crm -n "__fish_crm_using_subcommand backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand restore" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand restore" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand restore" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand restore" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand restore" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand restore" -l token -r
complete -c crm -n "__fish_crm_using_subcommand restore" -s q -l quiet -d 'Print only errors and warnings'
complete -c crm -n "__fish_crm_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand check" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand check" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand check" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand check" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand check" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand check" -l token -r
complete -c crm -n "__fish_crm_using_subcommand check" -s q -l quiet -d 'Print only errors and warnings'
complete -c crm -n "__fish_crm_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand copy" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand copy" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand copy" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand copy" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand copy" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand copy" -l token -r
complete -c crm -n "__fish_crm_using_subcommand copy" -s q -l quiet -d 'Print only errors and warnings'
complete -c crm -n "__fish_crm_using_subcommand copy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand config" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand config" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand config" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand config" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand config" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand config" -l token -r
complete -c crm -n "__fish_crm_using_subcommand config" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand health" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand health" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand health" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand health" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand health" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand health" -l token -r
complete -c crm -n "__fish_crm_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c crm -n "__fish_crm_using_subcommand completions" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand completions" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand completions" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand completions" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand completions" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand completions" -l token -r
complete -c crm -n "__fish_crm_using_subcommand completions" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand help" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand help" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand help" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand help" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand help" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand help" -l token -r
complete -c crm -n "__fish_crm_using_subcommand help" -s h -l help -d 'Print help'
complete -c crm -n "__fish_crm_using_subcommand man" -l db -d 'The database: the path of a SQLite file or a postgres:// URL [env: DATABASE_URL] [config: database] [default: crm.db in the current folder if it exists, else in the user\'s data folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand man" -l url -d 'Work through the HTTP API of another crm instead of on a database [env: CRM_URL] [config: url]' -r -f
complete -c crm -n "__fish_crm_using_subcommand man" -l config -d 'The config file [default: crm/config.toml in the user\'s config folder]' -r -F
complete -c crm -n "__fish_crm_using_subcommand man" -s o -l output -d 'How records are printed [env: CRM_OUTPUT] [config: output] [default: table]' -r -f -a "table\t''
json\t''
ndjson\t''
csv\t''
id\t''"
complete -c crm -n "__fish_crm_using_subcommand man" -l token-file -d 'The file with the token that is sent to the server at the URL; CRM_TOKEN takes the token itself [config: token_file]' -r -F
complete -c crm -n "__fish_crm_using_subcommand man" -l token -r
complete -c crm -n "__fish_crm_using_subcommand man" -s h -l help -d 'Print help'
