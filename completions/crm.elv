
use builtin;
use str;

set edit:completion:arg-completer[crm] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'crm'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'crm'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve 'Run the HTTP service'
            cand lead 'A person to win: create, get, list, update, delete'
            cand action 'Something done with a lead, such as a mail or a call: create, get, list, update, delete'
            cand process 'A sequence of follow-ups with a lead, and the date of the next one: create, get, list, update, delete'
            cand config 'Show each setting and where it comes from'
            cand health 'Ask a running service whether it takes writes'
            cand completions 'Print the completion script of a shell'
            cand man 'Write the manual pages into a folder'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;serve'= {
            cand --host 'The address to listen on [env: HOST] [default: 0.0.0.0]'
            cand --port 'The port to listen on, 0 for any free one [env: PORT] [default: 8000]'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'crm;lead'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
            cand create 'Create a lead'
            cand get 'Show leads by their ids'
            cand list 'List leads'
            cand update 'Change the given fields of leads'
            cand delete 'Delete leads'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;lead;create'= {
            cand --email 'The e-mail address, international ones included (required)'
            cand --name 'The person''s name'
            cand --status 'How far it is, a free word [default: new]'
            cand --attributes 'Your own fields, a JSON object'
            cand --set 'Set an attribute to a text, with KEY:=JSON to any other value'
            cand --json 'Read the record as a JSON object from a file, - for standard input, instead of flags'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --on-duplicate 'What to do when a lead has the address already'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;lead;get'= {
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;lead;list'= {
            cand --id 'Given by the database, never given twice'
            cand --email 'The e-mail address, international ones included'
            cand --name 'The person''s name'
            cand --status 'How far it is, a free word'
            cand --attributes 'Your own fields, a JSON object'
            cand --created-at 'When the record was made, UTC'
            cand --updated-at 'When the record was last changed, UTC'
            cand --where 'A filter as the API writes it, such as status=ne:lost or attributes.company=Acme'
            cand --q 'Find a text in any of the text fields, whatever its case'
            cand --sort 'Sort by these fields, parted by commas, a - before one turns it around [default: id]'
            cand --limit 'At most so many'
            cand --after 'Go on behind a page that --limit ended'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --count 'Print how many there are, and nothing else'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'crm;lead;update'= {
            cand --email 'The e-mail address, international ones included'
            cand --name 'The person''s name'
            cand --status 'How far it is, a free word'
            cand --attributes 'Your own fields, a JSON object'
            cand --set 'Set an attribute to a text, with KEY:=JSON to any other value'
            cand --unset 'Remove an attribute'
            cand --clear 'Set a field to null'
            cand --json 'Read the record as a JSON object from a file, - for standard input, instead of flags'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;lead;delete'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand --cascade 'Delete the lead''s actions and processes with it'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;lead;help'= {
            cand create 'Create a lead'
            cand get 'Show leads by their ids'
            cand list 'List leads'
            cand update 'Change the given fields of leads'
            cand delete 'Delete leads'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;lead;help;create'= {
        }
        &'crm;lead;help;get'= {
        }
        &'crm;lead;help;list'= {
        }
        &'crm;lead;help;update'= {
        }
        &'crm;lead;help;delete'= {
        }
        &'crm;lead;help;help'= {
        }
        &'crm;action'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
            cand create 'Create an action'
            cand get 'Show actions by their ids'
            cand list 'List actions'
            cand update 'Change the given fields of actions'
            cand delete 'Delete actions'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;action;create'= {
            cand --lead-id 'The lead it is about'
            cand --lead 'The lead it is about'
            cand --action-type 'What was done, a free word (required)'
            cand --type 'What was done, a free word (required)'
            cand --details 'What it was about'
            cand --description 'What it was about'
            cand --timestamp 'When it happened, UTC [default: now]; also now, today, tomorrow, +3d, -2h, fri'
            cand --at 'When it happened, UTC [default: now]; also now, today, tomorrow, +3d, -2h, fri'
            cand --attributes 'Your own fields, a JSON object'
            cand --set 'Set an attribute to a text, with KEY:=JSON to any other value'
            cand --json 'Read the record as a JSON object from a file, - for standard input, instead of flags'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;action;get'= {
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;action;list'= {
            cand --id 'Given by the database, never given twice'
            cand --lead-id 'The lead it is about'
            cand --lead 'The lead it is about'
            cand --action-type 'What was done, a free word'
            cand --type 'What was done, a free word'
            cand --details 'What it was about'
            cand --description 'What it was about'
            cand --timestamp 'When it happened, UTC'
            cand --at 'When it happened, UTC'
            cand --attributes 'Your own fields, a JSON object'
            cand --created-at 'When the record was made, UTC'
            cand --updated-at 'When the record was last changed, UTC'
            cand --where 'A filter as the API writes it, such as status=ne:lost or attributes.company=Acme'
            cand --q 'Find a text in any of the text fields, whatever its case'
            cand --sort 'Sort by these fields, parted by commas, a - before one turns it around [default: id]'
            cand --limit 'At most so many'
            cand --after 'Go on behind a page that --limit ended'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --count 'Print how many there are, and nothing else'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'crm;action;update'= {
            cand --lead-id 'The lead it is about'
            cand --lead 'The lead it is about'
            cand --action-type 'What was done, a free word'
            cand --type 'What was done, a free word'
            cand --details 'What it was about'
            cand --description 'What it was about'
            cand --timestamp 'When it happened, UTC; also now, today, tomorrow, +3d, -2h, fri'
            cand --at 'When it happened, UTC; also now, today, tomorrow, +3d, -2h, fri'
            cand --attributes 'Your own fields, a JSON object'
            cand --set 'Set an attribute to a text, with KEY:=JSON to any other value'
            cand --unset 'Remove an attribute'
            cand --clear 'Set a field to null'
            cand --json 'Read the record as a JSON object from a file, - for standard input, instead of flags'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;action;delete'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;action;help'= {
            cand create 'Create an action'
            cand get 'Show actions by their ids'
            cand list 'List actions'
            cand update 'Change the given fields of actions'
            cand delete 'Delete actions'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;action;help;create'= {
        }
        &'crm;action;help;get'= {
        }
        &'crm;action;help;list'= {
        }
        &'crm;action;help;update'= {
        }
        &'crm;action;help;delete'= {
        }
        &'crm;action;help;help'= {
        }
        &'crm;process'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
            cand create 'Create a process'
            cand get 'Show processes by their ids'
            cand list 'List processes'
            cand update 'Change the given fields of processes'
            cand delete 'Delete processes'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;process;create'= {
            cand --name 'What the process is called (required)'
            cand --lead-id 'The lead it is about'
            cand --lead 'The lead it is about'
            cand --channel 'How the lead is reached, a free word'
            cand --last-action-id 'The action that was done last'
            cand --last-action 'The action that was done last'
            cand --next-followup-datetime 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri'
            cand --next 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri'
            cand --status 'How far it is, a free word [default: active]'
            cand --attributes 'Your own fields, a JSON object'
            cand --set 'Set an attribute to a text, with KEY:=JSON to any other value'
            cand --json 'Read the record as a JSON object from a file, - for standard input, instead of flags'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;process;get'= {
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;process;list'= {
            cand --id 'Given by the database, never given twice'
            cand --name 'What the process is called'
            cand --lead-id 'The lead it is about'
            cand --lead 'The lead it is about'
            cand --channel 'How the lead is reached, a free word'
            cand --last-action-id 'The action that was done last'
            cand --last-action 'The action that was done last'
            cand --next-followup-datetime 'When the next follow-up is due, UTC'
            cand --next 'When the next follow-up is due, UTC'
            cand --status 'How far it is, a free word'
            cand --attributes 'Your own fields, a JSON object'
            cand --created-at 'When the record was made, UTC'
            cand --updated-at 'When the record was last changed, UTC'
            cand --where 'A filter as the API writes it, such as status=ne:lost or attributes.company=Acme'
            cand --q 'Find a text in any of the text fields, whatever its case'
            cand --sort 'Sort by these fields, parted by commas, a - before one turns it around [default: id]'
            cand --limit 'At most so many'
            cand --after 'Go on behind a page that --limit ended'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --count 'Print how many there are, and nothing else'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'crm;process;update'= {
            cand --name 'What the process is called'
            cand --lead-id 'The lead it is about'
            cand --lead 'The lead it is about'
            cand --channel 'How the lead is reached, a free word'
            cand --last-action-id 'The action that was done last'
            cand --last-action 'The action that was done last'
            cand --next-followup-datetime 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri'
            cand --next 'When the next follow-up is due, UTC; also now, today, tomorrow, +3d, -2h, fri'
            cand --status 'How far it is, a free word'
            cand --attributes 'Your own fields, a JSON object'
            cand --set 'Set an attribute to a text, with KEY:=JSON to any other value'
            cand --unset 'Remove an attribute'
            cand --clear 'Set a field to null'
            cand --json 'Read the record as a JSON object from a file, - for standard input, instead of flags'
            cand --fields 'Show only these fields, in this order, parted by commas'
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;process;delete'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -y 'Do not ask'
            cand --yes 'Do not ask'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;process;help'= {
            cand create 'Create a process'
            cand get 'Show processes by their ids'
            cand list 'List processes'
            cand update 'Change the given fields of processes'
            cand delete 'Delete processes'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;process;help;create'= {
        }
        &'crm;process;help;get'= {
        }
        &'crm;process;help;list'= {
        }
        &'crm;process;help;update'= {
        }
        &'crm;process;help;delete'= {
        }
        &'crm;process;help;help'= {
        }
        &'crm;config'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;health'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'crm;completions'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;man'= {
            cand --db 'The database: a path or a sqlite: URL [env: DATABASE_URL]'
            cand --url 'Work over another crm''s HTTP API instead of a database [env: CRM_URL]'
            cand --config 'The config file [default: crm/config.toml in the user''s config folder]'
            cand -o 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand --output 'How records are printed [env: CRM_OUTPUT] [default: table]'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'crm;help'= {
            cand serve 'Run the HTTP service'
            cand lead 'A person to win: create, get, list, update, delete'
            cand action 'Something done with a lead, such as a mail or a call: create, get, list, update, delete'
            cand process 'A sequence of follow-ups with a lead, and the date of the next one: create, get, list, update, delete'
            cand config 'Show each setting and where it comes from'
            cand health 'Ask a running service whether it takes writes'
            cand completions 'Print the completion script of a shell'
            cand man 'Write the manual pages into a folder'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'crm;help;serve'= {
        }
        &'crm;help;lead'= {
            cand create 'Create a lead'
            cand get 'Show leads by their ids'
            cand list 'List leads'
            cand update 'Change the given fields of leads'
            cand delete 'Delete leads'
        }
        &'crm;help;lead;create'= {
        }
        &'crm;help;lead;get'= {
        }
        &'crm;help;lead;list'= {
        }
        &'crm;help;lead;update'= {
        }
        &'crm;help;lead;delete'= {
        }
        &'crm;help;action'= {
            cand create 'Create an action'
            cand get 'Show actions by their ids'
            cand list 'List actions'
            cand update 'Change the given fields of actions'
            cand delete 'Delete actions'
        }
        &'crm;help;action;create'= {
        }
        &'crm;help;action;get'= {
        }
        &'crm;help;action;list'= {
        }
        &'crm;help;action;update'= {
        }
        &'crm;help;action;delete'= {
        }
        &'crm;help;process'= {
            cand create 'Create a process'
            cand get 'Show processes by their ids'
            cand list 'List processes'
            cand update 'Change the given fields of processes'
            cand delete 'Delete processes'
        }
        &'crm;help;process;create'= {
        }
        &'crm;help;process;get'= {
        }
        &'crm;help;process;list'= {
        }
        &'crm;help;process;update'= {
        }
        &'crm;help;process;delete'= {
        }
        &'crm;help;config'= {
        }
        &'crm;help;health'= {
        }
        &'crm;help;completions'= {
        }
        &'crm;help;man'= {
        }
        &'crm;help;help'= {
        }
    ]
    $completions[$command]
}
