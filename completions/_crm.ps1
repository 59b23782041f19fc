
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'crm' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'crm'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'crm' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run the HTTP service')
            [CompletionResult]::new('lead', 'lead', [CompletionResultType]::ParameterValue, 'A person to win: create, get, list, update, delete')
            [CompletionResult]::new('action', 'action', [CompletionResultType]::ParameterValue, 'Something done with a lead, such as a mail or a call: create, get, list, update, delete')
            [CompletionResult]::new('process', 'process', [CompletionResultType]::ParameterValue, 'A sequence of follow-ups with a lead, and the date of the next one: create, get, list, update, delete')
            [CompletionResult]::new('backup', 'backup', [CompletionResultType]::ParameterValue, 'Back the database up into a file')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Put a backup in the place of the database')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check that the database is whole')
            [CompletionResult]::new('copy', 'copy', [CompletionResultType]::ParameterValue, 'Copy everything into another database')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show each setting and where it comes from')
            [CompletionResult]::new('health', 'health', [CompletionResultType]::ParameterValue, 'Ask a running service whether it takes writes')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Show what a command takes, as its --help does')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Write the manual pages into a folder')
            break
        }
        'crm;serve' {
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The address to listen on [env: HOST] [default: 0.0.0.0]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The port to listen on, 0 for any free one [env: PORT] [default: 8000]')
            [CompletionResult]::new('--backup-dir', '--backup-dir', [CompletionResultType]::ParameterName, 'Back the database up into this folder, again and again [env: CRM_BACKUP_DIR] [config: backup_dir]')
            [CompletionResult]::new('--backup-every', '--backup-every', [CompletionResultType]::ParameterName, 'The time between two backups, such as 30s, 15m, 1h, 1d or 1w [env: CRM_BACKUP_EVERY] [config: backup_every] [default: 1h]')
            [CompletionResult]::new('--backup-keep', '--backup-keep', [CompletionResultType]::ParameterName, 'How many backups to keep, the newest [env: CRM_BACKUP_KEEP] [config: backup_keep] [default: 24]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Serve HTTPS with this certificate and those that vouch for it, in PEM; read again when it changes [env: CRM_TLS_CERT] [config: tls_cert]')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The private key of the certificate, in PEM [env: CRM_TLS_KEY] [config: tls_key]')
            [CompletionResult]::new('--cors-origin', '--cors-origin', [CompletionResultType]::ParameterName, 'Let the pages of this origin use the API, such as https://app.example.com; may be given several times [env: CRM_CORS_ORIGIN] [config: cors_origin]')
            [CompletionResult]::new('--trusted-proxy', '--trusted-proxy', [CompletionResultType]::ParameterName, 'Believe X-Forwarded-For of this proxy, an address or a network like 10.0.0.0/8; may be given several times [env: CRM_TRUSTED_PROXY] [config: trusted_proxy]')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'How the log is written to standard error [env: CRM_LOG] [config: log] [default: text]')
            [CompletionResult]::new('--max-body', '--max-body', [CompletionResultType]::ParameterName, 'The largest body of a request, in bytes [env: CRM_MAX_BODY] [config: max_body] [default: 1m]')
            [CompletionResult]::new('--max-head', '--max-head', [CompletionResultType]::ParameterName, 'The largest head of a request: its first line and its headers, in bytes [env: CRM_MAX_HEAD] [config: max_head] [default: 64k]')
            [CompletionResult]::new('--max-url', '--max-url', [CompletionResultType]::ParameterName, 'The longest path of a request with its parameters, in bytes [env: CRM_MAX_URL] [config: max_url] [default: 32k]')
            [CompletionResult]::new('--max-depth', '--max-depth', [CompletionResultType]::ParameterName, 'The most levels of objects and arrays in a body [env: CRM_MAX_DEPTH] [config: max_depth] [default: 127]')
            [CompletionResult]::new('--max-connections', '--max-connections', [CompletionResultType]::ParameterName, 'The most connections at a time; more are closed at once [env: CRM_MAX_CONNECTIONS] [config: max_connections] [default: 1024]')
            [CompletionResult]::new('--max-connections-per-address', '--max-connections-per-address', [CompletionResultType]::ParameterName, 'The most connections of one address at a time; those of a trusted proxy do not count [env: CRM_MAX_CONNECTIONS_PER_ADDRESS] [config: max_connections_per_address] [default: 512]')
            [CompletionResult]::new('--head-timeout', '--head-timeout', [CompletionResultType]::ParameterName, 'How long the head of a request may take, from its first byte [env: CRM_HEAD_TIMEOUT] [config: head_timeout] [default: 10s]')
            [CompletionResult]::new('--body-timeout', '--body-timeout', [CompletionResultType]::ParameterName, 'How long the body of a request may take, from the end of its head [env: CRM_BODY_TIMEOUT] [config: body_timeout] [default: 30s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long an answer may take to begin, from the end of the request [env: CRM_REQUEST_TIMEOUT] [config: request_timeout] [default: 1m]')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'How long a connection may be silent between two requests [env: CRM_IDLE_TIMEOUT] [config: idle_timeout] [default: 30s]')
            [CompletionResult]::new('--rate-per-token', '--rate-per-token', [CompletionResultType]::ParameterName, 'The most requests of one token in a second [env: CRM_RATE_PER_TOKEN] [config: rate_per_token] [default: off]')
            [CompletionResult]::new('--rate-per-address', '--rate-per-address', [CompletionResultType]::ParameterName, 'The most requests of one address in a second [env: CRM_RATE_PER_ADDRESS] [config: rate_per_address] [default: off]')
            [CompletionResult]::new('--max-waiting-writes', '--max-waiting-writes', [CompletionResultType]::ParameterName, 'The most writes that wait for the database at a time [env: CRM_MAX_WAITING_WRITES] [config: max_waiting_writes] [default: 4096]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--open', '--open', [CompletionResultType]::ParameterName, 'Let everybody read and write, also where the database has tokens [env: CRM_OPEN] [config: open]')
            [CompletionResult]::new('--require-token', '--require-token', [CompletionResultType]::ParameterName, 'Let nobody in without a token, also where the database has none yet [env: CRM_REQUIRE_TOKEN] [config: require_token]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log warnings and errors alone, and no line for each request [env: CRM_QUIET] [config: quiet]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;lead' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create a lead')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Show leads by their ids')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List leads')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change the given fields of leads')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete leads')
            break
        }
        'crm;lead;create' {
            [CompletionResult]::new('--email', '--email', [CompletionResultType]::ParameterName, 'The e-mail address, international ones included (required)')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The person''s name')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'How far it is, a free word [default: new]')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Your own fields, a JSON object')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set an attribute to a text, with KEY:=JSON to any other value')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Read the record as a JSON object from a file, - for standard input, instead of flags')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--on-duplicate', '--on-duplicate', [CompletionResultType]::ParameterName, 'What to do when a lead has the address already')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;lead;get' {
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;lead;list' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Filter by id')
            [CompletionResult]::new('--email', '--email', [CompletionResultType]::ParameterName, 'Filter by email')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Filter by name')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Filter by status')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Filter by all attributes as text; by one with --where attributes.KEY=…')
            [CompletionResult]::new('--created-at', '--created-at', [CompletionResultType]::ParameterName, 'Filter by created_at')
            [CompletionResult]::new('--updated-at', '--updated-at', [CompletionResultType]::ParameterName, 'Filter by updated_at')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'A filter as the API writes it, such as status=ne:lost or attributes.company=Acme')
            [CompletionResult]::new('--q', '--q', [CompletionResultType]::ParameterName, 'Find a text in any of the text fields, whatever its case')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Sort by these fields, parted by commas, a - before one turns it around [default: id]')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many')
            [CompletionResult]::new('--after', '--after', [CompletionResultType]::ParameterName, 'Go on behind a page: the cursor that stands below its table, or in the API''s Link header')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Print how many there are, and nothing else')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;lead;update' {
            [CompletionResult]::new('--email', '--email', [CompletionResultType]::ParameterName, 'The e-mail address, international ones included')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The person''s name')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'How far it is, a free word')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Your own fields, a JSON object')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set an attribute to a text, with KEY:=JSON to any other value')
            [CompletionResult]::new('--unset', '--unset', [CompletionResultType]::ParameterName, 'Remove an attribute')
            [CompletionResult]::new('--clear', '--clear', [CompletionResultType]::ParameterName, 'Set a field to null')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Read the record as a JSON object from a file, - for standard input, instead of flags')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;lead;delete' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--cascade', '--cascade', [CompletionResultType]::ParameterName, 'Delete the lead''s actions and processes with it')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;action' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create an action')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Show actions by their ids')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List actions')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change the given fields of actions')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete actions')
            break
        }
        'crm;action;create' {
            [CompletionResult]::new('--lead-id', '--lead-id', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--lead', '--lead', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--action-type', '--action-type', [CompletionResultType]::ParameterName, 'What was done, a free word (required)')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'What was done, a free word (required)')
            [CompletionResult]::new('--details', '--details', [CompletionResultType]::ParameterName, 'What it was about')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'What it was about')
            [CompletionResult]::new('--timestamp', '--timestamp', [CompletionResultType]::ParameterName, 'When it happened, UTC [default: now]; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'When it happened, UTC [default: now]; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Your own fields, a JSON object')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set an attribute to a text, with KEY:=JSON to any other value')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Read the record as a JSON object from a file, - for standard input, instead of flags')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;action;get' {
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;action;list' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Filter by id')
            [CompletionResult]::new('--lead-id', '--lead-id', [CompletionResultType]::ParameterName, 'Filter by lead_id')
            [CompletionResult]::new('--lead', '--lead', [CompletionResultType]::ParameterName, 'Filter by lead_id')
            [CompletionResult]::new('--action-type', '--action-type', [CompletionResultType]::ParameterName, 'Filter by action_type')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Filter by action_type')
            [CompletionResult]::new('--details', '--details', [CompletionResultType]::ParameterName, 'Filter by details')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'Filter by details')
            [CompletionResult]::new('--timestamp', '--timestamp', [CompletionResultType]::ParameterName, 'Filter by timestamp')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'Filter by timestamp')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Filter by all attributes as text; by one with --where attributes.KEY=…')
            [CompletionResult]::new('--created-at', '--created-at', [CompletionResultType]::ParameterName, 'Filter by created_at')
            [CompletionResult]::new('--updated-at', '--updated-at', [CompletionResultType]::ParameterName, 'Filter by updated_at')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'A filter as the API writes it, such as status=ne:lost or attributes.company=Acme')
            [CompletionResult]::new('--q', '--q', [CompletionResultType]::ParameterName, 'Find a text in any of the text fields, whatever its case')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Sort by these fields, parted by commas, a - before one turns it around [default: id]')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many')
            [CompletionResult]::new('--after', '--after', [CompletionResultType]::ParameterName, 'Go on behind a page: the cursor that stands below its table, or in the API''s Link header')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Print how many there are, and nothing else')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;action;update' {
            [CompletionResult]::new('--lead-id', '--lead-id', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--lead', '--lead', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--action-type', '--action-type', [CompletionResultType]::ParameterName, 'What was done, a free word')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'What was done, a free word')
            [CompletionResult]::new('--details', '--details', [CompletionResultType]::ParameterName, 'What it was about')
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'What it was about')
            [CompletionResult]::new('--timestamp', '--timestamp', [CompletionResultType]::ParameterName, 'When it happened, UTC; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'When it happened, UTC; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Your own fields, a JSON object')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set an attribute to a text, with KEY:=JSON to any other value')
            [CompletionResult]::new('--unset', '--unset', [CompletionResultType]::ParameterName, 'Remove an attribute')
            [CompletionResult]::new('--clear', '--clear', [CompletionResultType]::ParameterName, 'Set a field to null')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Read the record as a JSON object from a file, - for standard input, instead of flags')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;action;delete' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;process' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create a process')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Show processes by their ids')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List processes')
            [CompletionResult]::new('update', 'update', [CompletionResultType]::ParameterValue, 'Change the given fields of processes')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete processes')
            break
        }
        'crm;process;create' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'What the process is called (required)')
            [CompletionResult]::new('--lead-id', '--lead-id', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--lead', '--lead', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--channel', '--channel', [CompletionResultType]::ParameterName, 'How the lead is reached, a free word')
            [CompletionResult]::new('--last-action-id', '--last-action-id', [CompletionResultType]::ParameterName, 'The action that was done last')
            [CompletionResult]::new('--last-action', '--last-action', [CompletionResultType]::ParameterName, 'The action that was done last')
            [CompletionResult]::new('--next-followup-datetime', '--next-followup-datetime', [CompletionResultType]::ParameterName, 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--next', '--next', [CompletionResultType]::ParameterName, 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'How far it is, a free word [default: active]')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Your own fields, a JSON object')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set an attribute to a text, with KEY:=JSON to any other value')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Read the record as a JSON object from a file, - for standard input, instead of flags')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;process;get' {
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;process;list' {
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Filter by id')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Filter by name')
            [CompletionResult]::new('--lead-id', '--lead-id', [CompletionResultType]::ParameterName, 'Filter by lead_id')
            [CompletionResult]::new('--lead', '--lead', [CompletionResultType]::ParameterName, 'Filter by lead_id')
            [CompletionResult]::new('--channel', '--channel', [CompletionResultType]::ParameterName, 'Filter by channel')
            [CompletionResult]::new('--last-action-id', '--last-action-id', [CompletionResultType]::ParameterName, 'Filter by last_action_id')
            [CompletionResult]::new('--last-action', '--last-action', [CompletionResultType]::ParameterName, 'Filter by last_action_id')
            [CompletionResult]::new('--next-followup-datetime', '--next-followup-datetime', [CompletionResultType]::ParameterName, 'Filter by next_followup_datetime')
            [CompletionResult]::new('--next', '--next', [CompletionResultType]::ParameterName, 'Filter by next_followup_datetime')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Filter by status')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Filter by all attributes as text; by one with --where attributes.KEY=…')
            [CompletionResult]::new('--created-at', '--created-at', [CompletionResultType]::ParameterName, 'Filter by created_at')
            [CompletionResult]::new('--updated-at', '--updated-at', [CompletionResultType]::ParameterName, 'Filter by updated_at')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'A filter as the API writes it, such as status=ne:lost or attributes.company=Acme')
            [CompletionResult]::new('--q', '--q', [CompletionResultType]::ParameterName, 'Find a text in any of the text fields, whatever its case')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Sort by these fields, parted by commas, a - before one turns it around [default: id]')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many')
            [CompletionResult]::new('--after', '--after', [CompletionResultType]::ParameterName, 'Go on behind a page: the cursor that stands below its table, or in the API''s Link header')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Print how many there are, and nothing else')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;process;update' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'What the process is called')
            [CompletionResult]::new('--lead-id', '--lead-id', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--lead', '--lead', [CompletionResultType]::ParameterName, 'The lead it is about')
            [CompletionResult]::new('--channel', '--channel', [CompletionResultType]::ParameterName, 'How the lead is reached, a free word')
            [CompletionResult]::new('--last-action-id', '--last-action-id', [CompletionResultType]::ParameterName, 'The action that was done last')
            [CompletionResult]::new('--last-action', '--last-action', [CompletionResultType]::ParameterName, 'The action that was done last')
            [CompletionResult]::new('--next-followup-datetime', '--next-followup-datetime', [CompletionResultType]::ParameterName, 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--next', '--next', [CompletionResultType]::ParameterName, 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'How far it is, a free word')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'Your own fields, a JSON object')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set an attribute to a text, with KEY:=JSON to any other value')
            [CompletionResult]::new('--unset', '--unset', [CompletionResultType]::ParameterName, 'Remove an attribute')
            [CompletionResult]::new('--clear', '--clear', [CompletionResultType]::ParameterName, 'Set a field to null')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Read the record as a JSON object from a file, - for standard input, instead of flags')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, in this order, parted by commas')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;process;delete' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;backup' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a file that is there')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;restore' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;check' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;copy' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print nothing but errors and warnings')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;config' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;health' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'crm;completions' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;help' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'crm;man' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database: a path or a postgres:// URL [env: DATABASE_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config file [default: crm/config.toml in the user''s config folder]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How records are printed [env: CRM_OUTPUT] [default: table]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
