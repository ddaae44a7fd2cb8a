package sdktest

// rules are all of them, in the order in which they are checked.
func rules() []rule {
	return []rule{
		{"starts", "It starts, says what it is, takes its configuration and is healthy.", starts, true},
		{"handshake", "Its standard output holds one handshake line and nothing else, ever.", cleanStdout, true},
		{"by-hand", "Run by hand, it says that it is a plugin of Salita and exits with an error.", runByHand, true},
		{"manifest", "The manifest is named like the file, and is the same whenever it is asked for.", sameManifest, false},
		{"manifest-flag", "With --manifest it prints the same manifest as JSON and exits with code 0.", manifestFlag, true},
		{"unknown-setting", "An unknown key in the configuration is refused, and its place is named.", unknownSetting, false},
		{"validate", "Validating a configuration has no effect.", validatePure, false},
		{"configure-again", "Configuring the same revision again changes nothing, a new one takes effect.", configureAgain, false},
		{"configure-refused", "A refused configuration leaves the one before in service.", configureRefused, false},
		{"http-socket", "HTTP is served on a unix socket right in the socket folder, and nowhere else.", httpSocket, false},
		{"health", "It is not healthy before it is configured, and answers a health check at once.", healthBefore, false},
		{"routes", "Every declared route is served.", routesServed, false},
		{"undeclared", "What is not a declared route gets no successful answer.", undeclaredRefused, false},
		{"head", "HEAD gets the head of what GET gets, and no body.", headLikeGet, false},
		{"concurrency", "Many requests at once are all answered.", manyAtOnce, false},
		{"big-header", "A header of 32 KiB is taken, and one of 2 MiB does no harm.", bigHeader, false},
		{"aborted-body", "A request body that breaks off does no harm.", abortedBody, false},
		{"garbage", "What is neither HTTP nor gRPC does no harm.", garbage, false},
		{"shutdown", "Told to stop, it finishes the requests in flight and exits with code 0.", shutdownDrains, false},
		{"lifeline", "It exits within 2 seconds when its standard input ends.", endsWithLifeline, false},
		{"terminate", "It exits when it is sent SIGTERM.", endsOnTerminate, false},
		{"crash", "Killed at any moment, it starts again on the same data folder.", restartsAfterKill, false},
		{"own-folder", "It writes nothing outside its data folder and the paths of its configuration.", staysInFolder, false},
		{"secrets", "What requests and configurations hold does not get into the log.", keepsSecrets, false},
		{"newer-gateway", "It works with a gateway that knows more than it.", newerGateway, false},
		{"older-gateway", "It works with a gateway that offers only the first calls.", olderGateway, false},
		{"events", "Its events can be watched, more than once, until it stops.", watchable, false},
	}
}
