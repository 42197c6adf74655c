# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_gen404_global_optspecs
    string join \n repo= config= json dry-run commit push wait-lock q/quiet v/verbose no-progress log-format= metrics= h/help V/version
end

function __fish_gen404_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_gen404_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_gen404_using_subcommand
    set -l cmd (__fish_gen404_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c gen404 -n "__fish_gen404_needs_command" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_needs_command" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_needs_command" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_needs_command" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_needs_command" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_needs_command" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_needs_command" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_needs_command" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_needs_command" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_needs_command" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_needs_command" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_needs_command" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_needs_command" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "init" -d 'Create a new competition: settings, first leader, first round'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "status" -d 'Show where the competition stands and what is due'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "doctor" -d 'Check that all that a round needs is there and works'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "config" -d 'Show the settings, and where each comes from'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "log" -d 'Show what the runs on this machine did, and what failed since when'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "open" -d 'Record the submissions revealed so far'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "reveal-seed" -d 'Fix the round\'s submissions, draw its seed, choose its prompts'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "builds" -d 'Follow the miners\' image builds'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "duel" -d 'Play the matches that the tournament needs, call for audits, declare the winner'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "judge" -d 'Ask the judge about one duel, and show its answers'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "download" -d 'Fetch the miners\' files, draw and store them, record what was stored'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "baseline" -d 'Generate the leader\'s outputs for the round\'s prompts, on rented pods'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "audit" -d 'Regenerate what the leading miners submitted, compare, and record a verdict'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "finalize" -d 'Close a round: record the leader, open the next round or end the competition'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "advance" -d 'Do what is due now, step by step'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "pause" -d 'Pause the competition'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "resume" -d 'Resume a paused competition'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "leader" -d 'Show who leads, and the resulting weights'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "lease" -d 'Show which hosts have announced steps under [lease], or take announcements away'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "verify" -d 'Re-check every claim of the competition from its files and history'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "check" -d 'For miners: say what download, intake and audit would make of your files'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "distance" -d 'Measure the distance between two pictures as audits do'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "render" -d 'Draw the previews of GLB models: four views in one picture'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "report" -d 'Write the competition as web pages'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "sandbox" -d 'Play a whole competition on this machine: no account, no GPU, no network'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "completions" -d 'Print shell completions'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "man" -d 'Write the man pages, one per command'
complete -c gen404 -n "__fish_gen404_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l name -d 'The competition\'s name; rounds are called NAME-0, NAME-1, ...' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l description -d 'A short description' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l first-day -d 'The first day on which a round may start' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l last-day -d 'The last day on which a round may start' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l start-time -d 'Time of day at which a round starts (UTC)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l generation-minutes -d 'Minutes that miners have to generate and upload [default: 120; threejs: 240]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l buffer-hours -d 'Minimum hours between opening a round and its start' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l win-margin -d 'The margin that a challenger needs, as a fraction of the duels [default: 0.05; threejs: 0.07]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l weight-decay -d 'Weight that a leader loses in each round that it holds [default: 0.05; threejs: 0.2]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l weight-floor -d 'Lowest weight a leader can decay to [default: 0.1; threejs: 0.2]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l prompts -d 'Prompts in a round' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l carryover -d 'Prompts carried over from the previous round' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l round-days -d 'Days from one round to the next [default: 1; threejs: 3]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l audit-repeats -d 'How often the program of a winner is run again: of threejs only [default: 3]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l rule -d 'Override a default limit, such as mismatches=4: a key of `rules` in config.json' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l format -d 'What the competition is about [default: mesh]' -r -f -a "mesh\t'Textured meshes'
threejs\t'three.js modules'"
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l pool -d 'The pool: a file of prompt image URLs, one per line' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l leader-hotkey -d 'The first leader\'s hotkey' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l leader-repo -d 'The first leader\'s repository' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l leader-commit -d 'The first leader\'s commit' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l leader-docker -d 'The first leader\'s image, such as registry.example.org/name:tag' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l leader-weight -d 'The first leader\'s weight' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l earliest-reveal-block -d 'First block whose reveals count in round 0' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l block -d 'Use this as the chain\'s block (to reproduce a past run)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l now -d 'Use this as the time at that block [default: now, or the chain file\'s time]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l no-git -d 'Do not make the folder a git repository'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -s y -l yes -d 'On a terminal, ask only for what is needed, and write without asking'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand init" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l block -d 'Use this as the chain\'s block (to reproduce a past run)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l now -d 'Use this as the time at that block [default: now, or the chain file\'s time]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l watch -d 'Look again every so many seconds, until Ctrl-C [default: 10]. A terminal is redrawn; elsewhere, what has changed is printed' -r
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l exit-code -d 'Say by the exit code what is due: 0 nothing, 3 it waits, 10 a command is due now'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand status" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l stage -d 'Only what this stage or stage command needs [default: all that is configured, and what the current stage needs]' -r -f -a "open\t''
miner_generation\t''
downloading\t''
duels\t''
finalizing\t''
reveal-seed\t''
builds\t''
baseline\t''
download\t''
duel\t''
audit\t''
finalize\t''"
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l skip -d 'Leave out what only this command needs: another host, a person or a service runs it (repeatable)' -r -f -a "open\t''
reveal-seed\t''
builds\t''
baseline\t''
download\t''
duel\t''
audit\t''
finalize\t''"
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l store-dir -d 'The folder of the objects, instead of a bucket' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l cdn-url -d 'The base of the objects\' public URLs [env: CDN_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l judge-url -d 'The judge: an OpenAI-compatible endpoint, up to and including /v1 [env: OPENAI_BASE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l model -d 'The judge\'s model' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l question -d 'Ask the question in this file: TOML with system, prompt, first, second and task' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l distance -d 'What measures distances: dinov3 (the model, in this process), http (a service), or pixels (plain pixels, no model: for sandboxes only)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l distance-url -d 'The distance service [env: IMAGE_DISTANCE_SERVICE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l weights -d 'The model\'s weights, a safetensors file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l device -d 'Where the model runs: cpu, cuda or cuda:N [default: cpu]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l render-service -d 'Have a render service draw the previews instead of this machine' -r
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l offline -d 'Ask no server: only this machine, the settings and the files'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l no-ask -d 'Do not ask the judge a question, which may cost a little'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l inline-images -d 'Send the images themselves to the judge, instead of their URLs'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'Print every setting with its origin: a default, a line of the file, a variable or a flag'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l store-dir -d 'The folder of the objects, instead of a bucket' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l cdn-url -d 'The base of the objects\' public URLs [env: CDN_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l judge-url -d 'The judge: an OpenAI-compatible endpoint, up to and including /v1 [env: OPENAI_BASE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l model -d 'The judge\'s model' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l question -d 'Ask the question in this file: TOML with system, prompt, first, second and task' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l distance -d 'What measures distances: dinov3 (the model, in this process), http (a service), or pixels (plain pixels, no model: for sandboxes only)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l distance-url -d 'The distance service [env: IMAGE_DISTANCE_SERVICE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l weights -d 'The model\'s weights, a safetensors file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l device -d 'Where the model runs: cpu, cuda or cuda:N [default: cpu]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l render-service -d 'Have a render service draw the previews instead of this machine' -r
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l inline-images -d 'Send the images themselves to the judge, instead of their URLs'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print every setting with its origin: a default, a line of the file, a variable or a flag'
complete -c gen404 -n "__fish_gen404_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l last -d 'Show only the newest entries' -r
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l since -d 'Show only runs from this time or day on (UTC); 17:48 is the last time that it was 17:48' -r
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l round -d 'Show only runs in this round' -r
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l failed -d 'Show only runs that failed or were killed'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand log" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l compat -d 'How stored commitments are decoded: strict, or sdk10 as the deployed validator does it' -r
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l allow-private-cdn -d 'Accept miners\' URLs on non-public hosts (sandbox, tests)'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand open" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l compat -d 'How stored commitments are decoded: strict, or sdk10 as the deployed validator does it' -r
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l seed-source -d 'Where the seed comes from: drand, block (its hash), or random [default: drand, or block where the chain is a file]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l seed -d 'Use this seed (tests, reproductions): it cannot be proven later' -r
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l drand-url -d 'A drand HTTP endpoint, asked for a round that the chain does not have' -r
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l allow-private-cdn -d 'Accept miners\' URLs on non-public hosts (sandbox, tests)'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand reveal-seed" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l run -d 'Use this CI run instead of the one started by pushing the submissions' -r
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l file -d 'Read the builds from this JSON file: hotkey to {"status": STATUS, "image": IMAGE}; the image is optional' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l wait -d 'Keep polling until no build is open'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand builds" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l judge-url -d 'The judge: an OpenAI-compatible endpoint, up to and including /v1 [env: OPENAI_BASE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l model -d 'The judge\'s model' -r
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l question -d 'Ask the question in this file: TOML with system, prompt, first, second and task' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l judge-concurrency -d 'Judge calls in flight [default: 16]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l shard -d 'Play only the matches of this shard of the challengers: 0/4 to 3/4' -r
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l poll -d 'Seconds between checks of the audits' -r
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l inline-images -d 'Send the images themselves to the judge, instead of their URLs'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l wait -d 'Wait for pending audits instead of exiting'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand duel" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l seed -d 'The seed sent with the question' -r
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l judge-url -d 'The judge: an OpenAI-compatible endpoint, up to and including /v1 [env: OPENAI_BASE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l model -d 'The judge\'s model' -r
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l question -d 'Ask the question in this file: TOML with system, prompt, first, second and task' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l inline-images -d 'Send the images themselves to the judge, instead of their URLs'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand judge" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l only -d 'Fetch the files of this miner only' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l shard -d 'Fetch one shard of the miners: I from 0 to N-1. The last shard to be recorded moves the stage' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l render-service -d 'Have a render service draw the previews instead of this machine' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l store-dir -d 'The folder of the objects, instead of a bucket' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l cdn-url -d 'The base of the objects\' public URLs [env: CDN_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l block -d 'Use this as the chain\'s block (to reproduce a past run)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l now -d 'Use this as the time at that block [default: now, or the chain file\'s time]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l retry-failed -d 'Retry files that failed or were refused before'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l no-previews -d 'Do not draw or store previews (for measurements)'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l allow-private-cdn -d 'Accept miners\' URLs on non-public hosts (sandbox, tests)'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand download" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l render-service -d 'Have a render service draw the previews instead of this machine' -r
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l store-dir -d 'The folder of the objects, instead of a bucket' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l cdn-url -d 'The base of the objects\' public URLs [env: CDN_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l retry -d 'Retry prompts for which nothing could be generated before'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand baseline" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l only -d 'Audit this miner only' -r
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l shard -d 'Audit one shard of the miners, by their position in submissions.json: I from 0 to N-1. A miner without a submission is in shard 0' -r
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l render-service -d 'Have a render service draw the previews instead of this machine' -r
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l store-dir -d 'The folder of the objects, instead of a bucket' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l cdn-url -d 'The base of the objects\' public URLs [env: CDN_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l retry -d 'Retry prompts for which nothing could be generated before; with --only, also those of a rejected miner'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand audit" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l block -d 'Use this as the chain\'s block (to reproduce a past run)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l now -d 'Use this as the time at that block [default: now, or the chain file\'s time]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand finalize" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l until -d 'Stop once this stage is reached, before doing anything in it' -r
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l skip -d 'Skip this command: another host, a person or a service runs it (repeatable)' -r -f -a "open\t''
reveal-seed\t''
builds\t''
baseline\t''
download\t''
duel\t''
audit\t''
finalize\t''"
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l poll -d 'Seconds between checks of what is due' -r
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l wait -d 'Keep going, waiting for what comes due, until the competition is finished or paused'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand advance" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l reason -d 'Why, in one line: kept in the commit\'s message, and shown by `status` and `advance`' -r
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand pause" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l stage -d 'Stage to resume in [default: what the round\'s files show]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand resume" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l block -d 'The block to look at [default: the chain\'s, if the settings or these flags name a chain]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand leader" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l release -d 'Take away the announcements of this host, or of all: for a host that is dead. A run that works on loses its lease, and stops' -r
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand lease" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l round -d 'Only this round' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l from -d 'Check the competition that this commit belongs to, as it ended, and its commits from this one on' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l expect -d 'Fail unless this commit, or one that begins with these digits (7 or more), is checked out or in its history' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l heads -d 'Where the heads that were verified last are remembered; nowhere, if empty [default: gen404/heads.json in $XDG_STATE_HOME, or in ~/.local/state]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l signers -d 'Check that commits are signed by the signers in this file (git\'s allowed signers): all but those before --from, or before the first signed one' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l revoked -d 'Keys in this file (a list of public keys, or a KRL) do not count' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l receipt -d 'Write what was verified and found to this file: the same bytes on every machine, to be signed or compared' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l check-receipt -d 'Compare with the receipt in this file, and name each difference. --history, --round and --from are as it says' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l sample -d 'Fetch only this many of each player\'s models, with their previews' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l judge -d 'Also ask your own judge about this many of the recorded duels again, in both orders, and say how often it agrees' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l seed -d 'Draws the duels that are judged again' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l judge-url -d 'The judge: an OpenAI-compatible endpoint, up to and including /v1 [env: OPENAI_BASE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l model -d 'The judge\'s model' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l question -d 'Ask the question in this file: TOML with system, prompt, first, second and task' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l judge-concurrency -d 'Judge calls in flight [default: 16]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l store-dir -d 'The folder of the objects, instead of a bucket' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l cdn-url -d 'The base of the objects\' public URLs [env: CDN_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l history -d 'Also check what each commit did, and compare the working tree with the last one'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l accept-rewrite -d 'Accept a history that does not contain the head verified last, and remember its own head from now on'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l chain -d 'Also check each seed\'s drand round or block hash against the chain'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l objects -d 'Also fetch the stored objects, and compare them with their sums and previews'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l inline-images -d 'Send the images themselves to the judge, instead of their URLs'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l allow-private-cdn -d 'Fetch objects from non-public hosts (sandbox, tests)'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand verify" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l hotkey -d 'Also check what this miner revealed, and its image build [default: the miner that submitted this URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l round -d 'The round [default: the current one]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l prompts -d 'Check against the prompts in this file, image URLs, one per line [default: those of the round]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l previews -d 'Write the previews into this folder, each named by its prompt' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l pod -d 'Run the program behind this URL on the prompts as an audit does, and say its verdict' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l seed -d 'Generate with this seed [default: the round\'s]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l work -d 'Keep the work in this folder: with --pod, the next run continues there. Name another one after a change of the program' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l render-service -d 'Have a render service draw the previews instead of this machine' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l distance -d 'What measures distances: dinov3 (the model, in this process), http (a service), or pixels (plain pixels, no model: for sandboxes only)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l distance-url -d 'The distance service [env: IMAGE_DISTANCE_SERVICE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l weights -d 'The model\'s weights, a safetensors file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l device -d 'Where the model runs: cpu, cuda or cuda:N [default: cpu]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l compat -d 'How stored commitments are decoded: strict, or sdk10 as the deployed validator does it' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l block -d 'Use this as the chain\'s block (to reproduce a past run)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l now -d 'Use this as the time at that block [default: now, or the chain file\'s time]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l network -d 'The chain\'s network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of node URLs in order of preference [env: SUBTENSOR_NETWORK]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l archive -d 'URLs of archive nodes, asked for state that the others have discarded' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l netuid -d 'The subnet [env: NETUID] [default: 17]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l chain-file -d 'Read the chain from this JSON file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l allow-private-cdn -d 'Accept miners\' URLs on non-public hosts (sandbox, tests)'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand check" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l distance -d 'What measures distances: dinov3 (the model, in this process), http (a service), or pixels (plain pixels, no model: for sandboxes only)' -r
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l distance-url -d 'The distance service [env: IMAGE_DISTANCE_SERVICE_URL]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l weights -d 'The model\'s weights, a safetensors file' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l device -d 'Where the model runs: cpu, cuda or cuda:N [default: cpu]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand distance" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -s o -l out -d 'Write the preview to this file, or into this folder [default: beside each model, as .png]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l size -d 'Edge of each of the four views, in pixels' -r
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l service -d 'Have a render service draw them instead of this machine' -r
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand render" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l out -d 'The folder to write to' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l block -d 'Show who leads at this block [default: unknown; no chain is queried]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l only -d 'Only the pages of this round, and the index' -r
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l history -d 'Also show what `verify --history` says of each commit'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l open -d 'Open the index in the browser'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand report" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l seed -d 'Seed for everything that is drawn: the same seed and port give the same commits [default: 404]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l rounds -d 'Rounds to play, 1 to 365 [default: 2]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l miners -d 'Miners, 6 to 64: six with a role of their own (threejs: seven, so at least 7), the rest plain [default: 7]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l prompts -d 'Prompts in a round, 1 to 128 [default: 10]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l format -d 'What the competition is about [default: mesh]' -r -f -a "mesh\t'Textured meshes'
threejs\t'three.js modules'"
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l views -d 'Have three.js modules drawn by what [views] of this settings file names, such as a browser, instead of a stand-in' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l port -d 'The port of all servers; 0 picks a free one [default: 24404, or the next free one]' -r
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l judge -d 'How the judge behaves, to see what `verify` makes of it [default: honest]' -r -f -a "honest\t'It answers what it sees'
lies\t'Its operator records a winner that its answers do not give: `verify` finds it'
first\t'It favours the model that it is shown first'
random\t'It mixes the two models up at random'"
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l miner -d 'Play the miner steady yourself: what it serves, and what its program makes, are the models in this folder, each named by its prompt\'s stem' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l keep-serving -d 'Keep the servers running after the play, until Ctrl-C'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l by-hand -d 'Leave every command to you, in another terminal: the servers run and the chain advances to what is due next, until Ctrl-C'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand sandbox" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand completions" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l out -d 'The folder to write the pages to [default: print gen404\'s own page]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l repo -d 'The competition\'s folder [default: the checkout that holds the current folder]' -r -f -a "(__fish_complete_directories)"
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l config -d 'Settings file [default: gen404.toml in the competition\'s folder, if git does not track it]' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l log-format -d 'Write lines for a log: text (each after its UTC time) or json (an object a line)' -r -f -a "text\t'The same lines, each after its time'
json\t'A JSON object a line'"
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l metrics -d 'Write numbers for a monitor (Prometheus\' text format) after each run that may change the competition' -r -F
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l json -d 'Print the result as JSON'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l dry-run -d 'Show what would be written, and write nothing'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l commit -d 'Commit the files written, and only those'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l push -d 'Pull in what others have pushed, and push each commit; needs --commit'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l wait-lock -d 'Wait for another gen404 on the same repository instead of giving up at once'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -s q -l quiet -d 'Print only what is wrong: nothing when nothing is due, or when every check passes'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -s v -l verbose -d 'Print more'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -l no-progress -d 'No progress bars and no progress lines'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gen404 -n "__fish_gen404_using_subcommand man" -s V -l version -d 'Print version'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "init" -d 'Create a new competition: settings, first leader, first round'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "status" -d 'Show where the competition stands and what is due'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "doctor" -d 'Check that all that a round needs is there and works'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "config" -d 'Show the settings, and where each comes from'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "log" -d 'Show what the runs on this machine did, and what failed since when'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "open" -d 'Record the submissions revealed so far'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "reveal-seed" -d 'Fix the round\'s submissions, draw its seed, choose its prompts'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "builds" -d 'Follow the miners\' image builds'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "duel" -d 'Play the matches that the tournament needs, call for audits, declare the winner'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "judge" -d 'Ask the judge about one duel, and show its answers'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "download" -d 'Fetch the miners\' files, draw and store them, record what was stored'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "baseline" -d 'Generate the leader\'s outputs for the round\'s prompts, on rented pods'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "audit" -d 'Regenerate what the leading miners submitted, compare, and record a verdict'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "finalize" -d 'Close a round: record the leader, open the next round or end the competition'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "advance" -d 'Do what is due now, step by step'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "pause" -d 'Pause the competition'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "resume" -d 'Resume a paused competition'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "leader" -d 'Show who leads, and the resulting weights'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "lease" -d 'Show which hosts have announced steps under [lease], or take announcements away'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "verify" -d 'Re-check every claim of the competition from its files and history'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "check" -d 'For miners: say what download, intake and audit would make of your files'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "distance" -d 'Measure the distance between two pictures as audits do'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "render" -d 'Draw the previews of GLB models: four views in one picture'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "report" -d 'Write the competition as web pages'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "sandbox" -d 'Play a whole competition on this machine: no account, no GPU, no network'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "completions" -d 'Print shell completions'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "man" -d 'Write the man pages, one per command'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and not __fish_seen_subcommand_from init status doctor config log open reveal-seed builds duel judge download baseline audit finalize advance pause resume leader lease verify check distance render report sandbox completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gen404 -n "__fish_gen404_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Print every setting with its origin: a default, a line of the file, a variable or a flag'
