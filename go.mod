module github.com/salita-mesh/salita

go 1.26.0

require (
	github.com/chromedp/cdproto v0.159.0 // tests: what a browser can be told
	github.com/chromedp/chromedp v0.23.0 // tests: a real browser on the pages
	github.com/fsnotify/fsnotify v1.10.1 // edits of config.hcl and of plugin folders, at once
	github.com/gofiber/fiber/v2 v2.52.15 // the HTTP interface
	github.com/gofrs/flock v0.13.2 // one gateway per data folder
	github.com/google/go-cmp v0.7.0 // tests: differences that can be read
	github.com/gtank/ristretto255 v0.1.2 // the group of the pairing's key exchange
	github.com/hashicorp/go-hclog v1.6.3 // the gateway's one logger
	github.com/hashicorp/go-plugin v1.8.0 // starts plugins and carries their control calls
	github.com/hashicorp/hcl/v2 v2.25.0 // config.hcl
	github.com/makiuchi-d/gozxing v0.1.1 // tests: reads the QR code off the screen
	github.com/mdp/qrterminal/v3 v3.2.1 // the QR code in a terminal
	github.com/pressly/goose/v3 v3.29.0 // numbered migrations
	github.com/schollz/progressbar/v3 v3.19.1 // the progress of a transfer in a terminal
	github.com/spf13/cobra v1.10.2 // commands, flags, help
	github.com/valyala/fasthttp v1.78.0 // under Fiber; newer than the one Fiber asks for, which lets requests be smuggled
	github.com/zclconf/go-cty v1.19.0 // values of config.hcl
	golang.org/x/net v0.62.0 // header rules of RFC 9110
	golang.org/x/sync v0.24.0 // errgroup
	golang.org/x/sys v0.49.0 // sockets, free space, process groups
	golang.org/x/term v0.47.0 // is this a terminal?
	google.golang.org/grpc v1.85.0 // under go-plugin; newer than the one it asks for
	google.golang.org/protobuf v1.36.12 // the plugin protocol
	gorm.io/driver/sqlite v1.6.0 // SQLite's dialect for GORM
	gorm.io/gorm v1.31.2 // rows of the store
	modernc.org/sqlite v1.62.0 // SQLite without cgo, so one static binary
	rsc.io/qr v0.2.0 // the QR code on a page
)

require (
	github.com/agext/levenshtein v1.2.1 // indirect
	github.com/apparentlymart/go-textseg/v15 v15.0.0 // indirect
	github.com/apparentlymart/go-textseg/v17 v17.0.1 // indirect
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/fatih/color v1.13.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/golang/protobuf v1.5.4 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/hashicorp/yamux v0.1.2 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jinzhu/inflection v1.0.0 // indirect
	github.com/jinzhu/now v1.1.5 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/mattn/go-runewidth v0.0.16 // indirect
	github.com/mattn/go-sqlite3 v1.14.22 // indirect
	github.com/mfridman/interpolate v0.0.2 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/mitchellh/go-wordwrap v1.0.1 // indirect
	github.com/molecule-man/go-brrr v1.3.1 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/oklog/run v1.1.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/sethvargo/go-retry v0.5.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	golang.org/x/xerrors v0.0.0-20200804184101-5ec99f83aff1 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261005182115-fad411399dd8 // indirect
	modernc.org/libc v1.80.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)
