/** Text of `help <command>`; the first line is also the summary in the list. */
export const commandHelp = {
  start: `Starts the server, with an embedded database and chain where none are configured

  bulkhead start [--port <number>] [--fresh] [--exit]

  --port <number>  port of the API instead of the configured one; 0 takes a free one
  --fresh          begins anew: throws away the embedded database, chain, signer, people and tokens first
  --exit           ends after the start instead of serving: checks every invariant, exits 0 or 1

  Ctrl-C stops in order; a second one ends at once. Started again, it continues on the same data.`,
  migrate: `Brings the database to the version of this code

  bulkhead migrate

  Needs DATABASE_OWNER_URL, or DATABASE_URL with an owner's login; without either, the embedded database is migrated.`,
  check: `Proves every invariant of the books, and that no block and no record of the signer is missing

  bulkhead check

  Prints what is broken, one line each, and exits 1; exits 0 when nothing is. Only reads; runs beside a server too.`,
  audit: `Proves the audit log from its first leaf, writes it as files, shows receipts, erases what may be erased

  bulkhead audit verify [--files <folder | address>] [--checkpoint <file>] … [--key <verifier key>]
      [--rpc <address> --signer-set <address> [--from-block <number>]]
  bulkhead audit export --out <folder>
  bulkhead audit receipt --id <id>
  bulkhead audit receipt --verify <file> --key <verifier key> [--witness <verifier key>] … [--witnesses-min <number>]
  bulkhead audit consistency --from <file> --files <folder | address> [--to <file>]
  bulkhead audit erase --leaf <number> … --reason <text>
  bulkhead audit erase --client <id> --reason <text>
  bulkhead audit retain --years <number> --reason <text>

  verify   rebuilds each leaf from its fact and the tree from the leaves, and holds every checkpoint against it; exits 1 when something
           is wrong, and names the first leaf that differs. Only reads; runs beside a server too
           --files       the log as others read it: a folder that "export" wrote, or an address such as https://…/v1/log
           --checkpoint  one from elsewhere, as a witness or a receipt has it: without any, a database that was put back to an older
                         state looks whole
           --key         the log's key, <name>+<id>+<base64>; without it that of the key file of this installation
           --rpc         a node of a chain whose heartbeats state checkpoints, best your own: what its newest final block has of the
                         signer set is compared, and a log that was put back or forked behind it is named by the leaf. Without
                         --from-block the chain is read from its beginning
  export   writes checkpoint, tiles and entries for any static host; again, it adds what is new
  receipt  the leaves about an id with opening, path and checkpoint, as JSON; exits 1 when there are none. With --verify those of a file
           (of this command, or of the API) are proven offline, by the keys alone; --witnesses-min is the number of --witness without it
  consistency  prints the proof that the checkpoint --to (without it the one of --files) goes on from the one --from; needs no database
  erase    destroys salt and content of leaves whose retention is over, or all that names a client, as the owner of the tables; the leaves
           stay, and what was destroyed is a leaf itself
  retain   has openings and personal data kept for longer; no period is ever taken away`,
  witness: `Watches an audit log from outside: cosigns each checkpoint that continues the last one, and no other

  bulkhead witness new-key --name <name> --out <file>
  bulkhead witness serve --log <verifier key> --name <name> --key <file> --state <file> --port <number> [--host <address>] [--new]

  new-key  makes a key, for its owner alone, and prints what /log/witnesses of the log's configuration needs
  serve    answers as C2SP tlog-witness says; TLS is for a proxy before it. Needs no configuration and no database: run it on a machine
           that the custodian does not administer
           --log    the key of the log, as "bulkhead start" prints it
           --state  file with the checkpoint that was cosigned last, which must not be lost; --new begins without one
           --port   0 takes a free one; --host is 127.0.0.1 without this`,
  address: `Issues a deposit address to a client

  bulkhead address --client <reference or id> --chain <CAIP-2 id>

  --client  the client's reference, such as C-1001, or its id, cl_…
  --chain   such as eip155:1

  Prints the address. It is the same operation as POST /v1/clients/{id}/wallets: a new address each time.`,
  approve: `Shows what is to be approved, read from its bytes, and signs it with an approver key in a file

  bulkhead approve <file | link | -> --key <file> [--out <file>]
  bulkhead approve <file | link | -> --key <file> --yes --digest <hex> --passphrase-file <file>
  bulkhead approve --new-key <file> --kind ed25519|eip712 --person <id> [--key-id <id>]
  bulkhead approve --agreement <file | ->

  <file | link | ->         what the API or a colleague gave: JSON, a link of the approval page, or standard input
  --key <file>              the key to sign with
  --out <file>              writes the approval there instead of printing it; an existing file is not replaced
  --digest <hex>            signs only if the digest is this one
  --yes                     asks nothing; for programs alone, refused at a terminal
  --passphrase-file <file>  reads the passphrase there instead of asking for it
  --new-key <file>          makes a key, encrypted and for its owner alone, and prints its entry for the registry
  --key-id <id>             name of the new key under the person; "file" without it
  --agreement <file | ->    shows the terms of a vault that a client is to agree to, as the API gave it, and what its key would
                            sign; whoever has that key signs on the approval page or with its own tool
  --deployment <hex>        the installation, and with --identity <hex> (again for each) the identity keys of its signer:
                            given to --new-key they are kept in the file, else each use needs them

  At a terminal it asks for the last 6 digits of the digest. Nothing is sent: hand the approval in through the API.`,
  'approval-page': `Builds the approval page for an installation, or serves it

  bulkhead approval-page build --origin <address> --deployment <hex> --identity <hex> … --name <text> [--out <folder>]
      [--relying-party <host>]
  bulkhead approval-page serve --port <number> [--from <folder>] [--host <address>]

  build  writes three files and prints their SHA-256; the same source and the same words give the same files
  serve  serves those three files and nothing else; TLS is for a proxy before it

  --origin         where people open it, such as https://approve.example.com; passkeys work there alone
  --relying-party  a domain above it; the host of the origin without this
  --deployment     id of the installation, and --identity the identity keys of its signer (again for each), from the ceremony
  --name           how the page calls the installation
  --out, --from    the folder; approval-page without this
  --port           0 takes a free one; --host is 127.0.0.1 without this

  Beside the signer for development, "bulkhead start" does both by itself.`,
  reconcile: `Holds the books of a chain against the chain at its newest booked block

  bulkhead reconcile --chain <CAIP-2 id>

  Prints every line that differs and exits 1; exits 0 when nothing differs. Breaks are opened and compartments frozen, as by the
  reconciliation of the server.`,
  signer: `Shows what the signer is and what it decided, or builds the program that it runs

  bulkhead signer status
  bulkhead signer records [--after <number>] [--limit <number>]
  bulkhead signer build [--out <folder>]
  bulkhead signer verify <file> --identity <hex> … [--deployment <hex>] [--client <id>] [--address <0x…>] [--chain <CAIP-2 id>]
      [--compartment <number>]
  bulkhead signer recovery --out <file>
  bulkhead signer recover <file> --approval <file> --approval <file> …
  bulkhead signer follow
  bulkhead signer compare
  bulkhead signer log-key

  status   deployment, identities, residency of the keys, registry, and each slot; exits 1 when the signer does not answer
  records  its decisions as it recorded and signed them, each verified against the pinned identities; exits 1 when one is not right
  build    emits the signer as the one file of JavaScript that it runs, and prints its SHA-256; the same source gives the same file
  verify   offline and without a configuration: that a certificate, a record or a client's move in a file (as the API gave it) is signed by one of these
           identity keys and says what is expected; exits 1 when not. An address is looked for in an account certificate, too
  recovery  where an older copy of the signer's state was put back: writes what the root quorum has to approve ("bulkhead approve")
  recover   hands that in with the approvals; the signer goes on from the older state. docs/signer.md says what comes first
  follow    has the books follow the recovered signer again, as the owner of the tables; what it lost is kept apart
  compare   after a backup of the database was put back: what the signer granted and the database does not know, with what was
            signed; exits 1 when there is any
  log-key   the key that everybody verifies the audit log with, and the certificate by an identity key of the signer

  All but build and verify ask the signer that the configuration names, or the one that runs beside the server.`,
  vault: `Says what a chain needs for vaults; examines a vault, and takes what is in it out, by the chain alone

  bulkhead vault deploy --chain <CAIP-2 id> --member <0x…> --member <0x…> … --threshold <number> --change-delay <seconds>
      --fee-receiver <0x…> [--out <file>]
  bulkhead vault heartbeat --chain <CAIP-2 id> [--relayer <key file>]
  bulkhead vault verify <address> --rpc <url> [--certificate <file>] [--from <block>] [--block-hash <hash>] [--json]
  bulkhead vault exit status --certificate <file> --rpc <url>
  bulkhead vault exit request --certificate <file> --rpc <url> --relayer <key file>
      --key <exit key file> | --message <file> [--signature <hex | assertion file>] | --silence
  bulkhead vault exit pay --certificate <file> --rpc <url> --relayer <key file> [--token <address | native> …]
  bulkhead vault change list --certificate <file> --rpc <url> [--from <block>]
  bulkhead vault change <what> --certificate <file> --rpc <url> --relayer <key file>
      --key <client or exit key file> | --message <file> [--signature <hex | assertion file>]
  bulkhead vault change execute --change <0x…> --certificate <file> --rpc <url> --relayer <key file> [--from <block>]
  bulkhead vault signers show --chain <CAIP-2 id>
  bulkhead vault signers propose --chain <CAIP-2 id> --member <0x…> --member <0x…> … --threshold <number>

  deploy  --member        address of a signer's key in compartment 3, again for each; the set has the same address on each chain
          --threshold     how many of them must sign
          --change-delay  seconds until a change of the set counts; in production a week or more
          --fee-receiver  the fee wallet of the house (compartment 2)
          --out           writes the transactions there instead of printing them; an existing file is not replaced
          Sends nothing: prints the transactions that are missing, which any account may send, and exits 1. Run again when they are
          final, it checks the code and prints what configuration and registry have to say. docs/operations/vaults.md has the rest.
  heartbeat               has the signers of the configuration show that they are there, for the newest final block, and carries that
                          to the signer set; without --relayer it prints the transaction, which any account may send within a day.
                          For a timer, each week: signers that are silent for longer than a vault agreed to open its exit
  verify  --rpc           a node of your choice; balances of older blocks want an archive
          --certificate   the file that was handed over with the address; without it the event of the creation says what was agreed
          --from          first block that is read; 0 without this. It must not be later than the vault's first event
          --block-hash    a block that you trust from elsewhere, instead of the newest final one of the node
          Nothing is believed because a custodian says it, and of the node only what its proofs show. Prints each step, and what
          nobody could know; exits 1 when something is wrong.
  exit    --certificate   the file that was handed over with the address: with it and a chain nobody else is needed
          --relayer       a key of any account with coin for gas; it gets no right by it
          --key           the exit key, to sign here; or --message, to write what is to be signed elsewhere, and again with --signature
          --silence       no key at all: the custodian gave no sign for the agreed time
          --token         what is paid out; without it the native coin and the tokens of the initial policy
          request deploys factory and vault where they are missing. pay works when the agreed delay is over, for ever, and again for
          what comes in later. A key file is one of "approve --new-key --kind eip712", or 64 hex digits in a file of mode 600;
          --passphrase-file and --relayer-passphrase-file open the first kind.
  change  what the client's own keys decide, asked of nobody else; options as with exit, and:
          add-destination --to, raise-limit --token --cap [--unlisted], exit-destination --to, rotate-key --new-key <0x…>
                          wait for their delay; the last three are then put in force with execute
          remove-destination --to, lower-limit --token --cap [--unlisted], pause, cancel-exit, veto --change <0x…>
                          at once. --side exit has the exit key sign a veto, a removal or its own rotation
          list            what waits, whoever asked for it: a recovery by the custodian is among it, and vetoed by its --change
          --new-key       address of an account, or the id of a passkey (64 hex digits)
  signers show            who is in the set of signers of a chain, and the changes that were asked for here
          propose         asks for other members on every chain; the root quorum approves it, the signers sign it, the server carries
                          it. docs/operations/vaults.md says what a new signer needs first`,
  ceremony: `Makes, splits, seals and certifies the seed of a signer in front of people; verifies and restores it

  bulkhead ceremony plan --out <plan.json> --name <text> --performer <name> --witness <name> … [--confirmations <number>]
      --slot hsm_slot_1=<library>,<label>[,NAME=value] --slot hsm_slot_2=… --threshold <k> --holder <name> …
      --compartments <1,2,10000> --registry <list> [--dice] [--deployment <hex>] [--program <SHA-256>]
  bulkhead ceremony run <plan.json> --registry <list> --out <folder> [--program <signer.mjs>] [--pin-file hsm_slot_1=<file>] …
  bulkhead ceremony verify <bundle.json> [--plan-hash <digits>] [--identity <key>] …
  bulkhead ceremony import <bundle.json> --plan-hash <digits> --identity <key> --identity <key>
  bulkhead ceremony restore --bundle <bundle.json> --slot … --slot … --out <folder> --performer <name> --witness <name> …
      [--pin-file …] [--identity <key>] … [--registry <list> [--deployment <hex>]]
  bulkhead ceremony addresses --bundle <bundle.json> --compartments <1,2,10000> [--count <number>]
  bulkhead ceremony addresses --envelope <seed.json> --slot … --slot … --pin-file … --compartments <…> [--count <number>]
  bulkhead ceremony drill --bundle <bundle.json> --slot <one> --pin-file <its PIN> --performer <name> --witness <name>
  bulkhead ceremony drills --bundle <bundle.json> [--identity hsm_slot_1=<key> --identity hsm_slot_2=<key>]
  bulkhead ceremony reseal --bundle <bundle.json> --lost hsm_slot_2 --slot … --slot … --pin-file … --pin-file … --performer <name>
      --witness <name> [--envelope <seed.json>] [--identity hsm_slot_1=<key> --identity hsm_slot_2=<key> --deployment <hex>]

  plan       writes down what will be done, and prints its SHA-256: write that on paper
  run        carries it out at a terminal, step by step; started again, it goes on where an earlier run was interrupted
  verify     offline: plan, record, confirmations, certificates, registry, signatures; exits 1 and names what was changed
  import     verifies it against what was written on paper, and brings each step into the journal of this installation, once: the audit log
             vouches for the ceremony from then on
  restore    from shares on paper into two fresh tokens; with --registry it opens a new state of a signer, too
  addresses  of compartments, by certified account keys or by the seed itself: both must say the same
  drill      restores the seed from one slot, wipes it, and appends a signed line beside the bundle
  drills     reads those lines: chain, signatures, and the age of the newest drill of each slot; exits 1 when it is above 92 days
  reseal     one token is lost: seals the seed to a fresh one from the slot that answers, and says what must follow

  A PIN without a file is asked for at a terminal and not shown. docs/operations/ceremony.md has the whole procedure.`,
  keys: `Makes the key file of a signer with keys in software, for development

  bulkhead keys init --file <path> --passphrase-file <file>

  The file is encrypted under the passphrase and replaces none. "tree" of the signer's configuration names both files.
  Keys that hold anything of worth are made by a ceremony.`,
  doctor: `Examines a hardware module or the drivers of a signer, and says what is good, bad and unknown

  bulkhead doctor --library <path> --label <token> --pin-file <file> [--environment NAME=value] …
  bulkhead doctor --config <signer.json> [--key <label> --compartment <number>]

  --library   the vendor's PKCS#11 library; throw-away keys are made, used and removed
  --config    each driver of the configuration, with throw-away keys: no key of a wallet signs
  --key       for aws-kms, where a key cannot be removed at once: the label of a key for tests, which has to be typed again

  Exits 1 when something is bad.`,
  proof: `Says what a chain needs for proofs of reserves; makes and publishes them, shows where they stand, hands them out

  bulkhead proof deploy --chain <CAIP-2 id> --custodian <0x…> --window <epochs> --draw-delay <blocks> --commit-within <seconds>
      --cadence <seconds> --prove-within <seconds> [--out <file>]
  bulkhead proof make --asset <CAIP-19 id> [--tier plain|confidential] [--block <number>] [--declare <compartment>] … [--files]
  bulkhead proof show [--asset <CAIP-19 id>] [--epoch <number>]
  bulkhead proof package --client <reference or id> --asset <CAIP-19 id> --epoch <number> [--out <folder>]
  bulkhead proof publish --asset <CAIP-19 id> [--now]
  bulkhead proof layout --asset <CAIP-19 id> --rpc <url> --holder <address> --holder <address> …

  deploy  --custodian      32 bytes that name the custodian for ever; challenges to wallets carry the same
          --window         epochs of which one is drawn and proven in full
          --draw-delay     blocks from the end of a window to the one whose hash draws
          --commit-within  seconds from the pinned block until an epoch must be in the registry; an epoch that lapses is lost
          --cadence        seconds without a new epoch after which an asset is stale
          --prove-within   seconds from the end of a window until what was drawn must be proven
          --out            writes the transaction there instead of printing it; an existing file is not replaced
          The signer set is that of the chain's vaults in the configuration. Sends nothing: prints the transaction, which any account
          may send, and exits 1. Run again when it is final, it prints what configuration and signers have to know.
  make    makes the next epoch of an asset that the configuration has proven: reads claims and coins at one final block, and writes record
          and packages. Ended by whatever, the same words go on where it was. The server does this by itself on its cadence
          --block    a final block that is booked whole; the newest one without this
          --tier     refused where it is not the tier of the configuration
          --declare  a compartment that may have less on the chain than in its books; what the chain has is proven
          --files    all proofs and files too, hours for a million clients, as they can be made without asking the signers
          A compartment that does not hold what it owes is named, whatever the others have, nothing is begun, and it exits 1.
  show    epochs with state, block, record, manifest and transactions, newest first; exits 1 where there is none
  package writes what one client is given: its packages, and where they are made its statements and proof of segregation; into a
          folder named after both without --out. Exits 1 where it has no claim
  publish --asset          one that is proven in a registry of the configuration
          --now            makes an epoch though the schedule has none
  layout  looks in the state of a node where a token keeps its balances, by holders that have something, and prints it as configuration and
          verify take it. Exits 1 where it is in no place that was looked at, or in several
          Does what is next: makes, has it signed, hands it to the house's relay, draws, proves. Transactions are sent by the server.
          Exits 1 and says why where it does not go on.`,
  verify: `Checks what a custodian shows: claims, proofs of reserves, certificates, the audit log

  bulkhead verify <file | folder> … [--registry <chain>:<address>] [--rpc <url>] … [--client <id> --compartment <number> [--amount <digits>]]
      [--identity <hex>] … [--log-key <verifier key> [--witness <verifier key>] … [--witnesses <number>]
      [--log-tiles <folder | address>] [--signer-set <chain>:<address> [--from-block <number>]]] [--json]
  bulkhead verify proof <folder | https address> --registry <chain>:<address> --rpc <url> … [--identity <hex>] … [--json]

  --registry     where the custodian pins its proofs, from your agreement or your auditor: never from a file
  --code-hash    Keccak-256 of the registry's code, where you have it
  --rpc          a node of the registry's or the asset's chain; two of different people show each other's lies, two of one host count
                 as one. Coins are looked at in the block that the proof names, which wants an archive node
  --client       the identifier that you had before the proof was made
  --amount       your claim in your own books, in the asset's smallest unit
  --identity     64 digits of a signer's identity key, from the record of the ceremony
  --expect       a field that a certificate must have exactly so, as in client=cl_…; also address, chain, compartment, deployment
  --log-key      key of the audit log, and of which witnesses how many must have cosigned (one where you name any)
  --log-tiles    copies of the log's tiles: whether checkpoints of different sizes are of one history is worked out from them
  --signer-set   whose heartbeats state the log on a chain, from --from-block on (0 without it): what the nodes have of them is compared
  --token        where a token keeps its balances, as in 0x…=9, 0x…=9:vyper or 0x…=erc7201:<namespace>; without it the custodian's word is compared, not proven
  --exclude      an address that must not be counted: of the custodian itself, or shown by another one
  --stale-after  seconds after which a proof is too old for you

  Each file is told by its form: packages, balance statements, proofs of segregation, the files of a whole proof with their manifest,
  certificates and records as the API gave them, receipts and checkpoints. Asks nobody but these nodes. Says of each step whether it
  holds, fails or is not known, and exits 1 when one fails or nothing was proven.`,
  'verify-page': `Builds the page on which people check what they were given, or serves it

  bulkhead verify-page build [--out <folder>]
  bulkhead verify-page serve --port <number> [--from <folder>] [--host <address>]

  build  writes one file of HTML and prints its SHA-256; the same source gives the same file, whoever builds it
  serve  serves that file and nothing else; TLS is for a proxy before it. Opened from a disk it does the same

  --out, --from    the folder; verify-page without this
  --port           0 takes a free one; --host is 127.0.0.1 without this

  The page knows no installation: whoever uses it says which registry, keys and nodes count.`,
  help: `Explains a command

  bulkhead help [command]`,
} as const;

export type CommandName = keyof typeof commandHelp;

export function isCommand(word: string): word is CommandName {
  return Object.hasOwn(commandHelp, word);
}

export function overview(version: string): string {
  const lines = Object.entries(commandHelp).map(([name, text]) => `  ${name.padEnd(14)} ${text.split('\n')[0] ?? ''}`);
  return `Bulkhead ${version}: a custody core that keeps every client's assets apart in the keys, on the chain and in the books.

Usage: bulkhead <command> [options]

${lines.join('\n')}

  --version  prints the version
  --help     after a command: explains it

Exit codes: 0 done and nothing wrong · 1 something wrong was found, or the business refused · 2 the command line or the
configuration cannot be used · 3 database, chain, port, folder, key or signer do not work.

Configuration: bulkhead.config.json in this folder, or where BULKHEAD_CONFIG points; see bulkhead.config.example.json and
docs/configuration.md. DATABASE_URL and CHAIN_EIP155_<id>_RPC replace what is embedded. BULKHEAD_DEBUG=1 shows stack traces.`;
}
