package config

// DataDir finds the gateway's data folder as Load does, without reading any
// configuration: for programs that only want to reach the gateway.
func DataDir(opts Options) (string, error) {
	l, err := newLoader(opts)
	if err != nil {
		return "", err
	}
	return l.dataDir()
}
