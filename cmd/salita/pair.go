package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/client"
)

const (
	// pollEvery is how often the state of a pairing is asked for.
	pollEvery = 100 * time.Millisecond
	// closeWithin bounds the closing of a window that nobody looks at any more.
	closeWithin = 2 * time.Second
)

func (a *app) pair() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pair [LINK|ADDRESS]",
		Short: "Pair with another device",
		Long: "Without an argument, let another device join this one: shows a QR code and a link, then the number to type there.\n" +
			"With the link or address of another gateway, join that one: asks for the number that it shows.",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			gateway, err := a.client()
			if err != nil {
				return err
			}
			p := a.pairer(asJSON)
			if len(args) == 0 {
				return reported(p, show(cmd.Context(), gateway, gateway.PairStart, p))
			}
			return reported(p, a.join(cmd.Context(), gateway, args[0], p))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print events as JSON lines")
	return cmd
}

func (a *app) repairDevice() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "repair DEVICE",
		Short: "Pair a device again; it keeps its name and history",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			gateway, device, err := a.deviceNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			p := a.pairer(asJSON)
			open := func(ctx context.Context) (client.Window, error) { return gateway.Repair(ctx, device.ID) }
			return reported(p, show(cmd.Context(), gateway, open, p))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print events as JSON lines")
	return cmd
}

func (a *app) pairer(asJSON bool) pairer {
	if asJSON {
		return jsonPairer{a}
	}
	return textPairer{a}
}

// reported tells the pairer of a failure, too.
func reported(p pairer, err error) error {
	if err != nil && !errors.Is(err, client.ErrNotRunning) {
		p.failed(err)
	}
	return err
}

// pairer tells a person or a program how a pairing goes.
type pairer interface {
	open(client.Window)
	claimed(pin string, device client.PairDevice)
	paired(client.PairDevice)
	trouble(error) // it may be tried again
	failed(error)
}

// show opens a window and follows it to its end.
func show(ctx context.Context, gateway *client.Client, open func(context.Context) (client.Window, error), p pairer) error {
	window, err := open(ctx)
	if err != nil {
		return err
	}
	p.open(window)
	err = follow(ctx, gateway, window, p)
	if ctx.Err() != nil {
		// Nobody looks at the number any more, so nobody shall join by it.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		err = errors.Join(err, gateway.PairCancel(closing, window.Code))
	}
	return err
}

// follow tells how the window stands until it is over.
func follow(ctx context.Context, gateway *client.Client, window client.Window, p pairer) error {
	shown, told := "", ""
	for {
		state, err := gateway.PairWindow(ctx, window.Code)
		if err != nil {
			return err
		}
		switch state.State {
		case "claimed":
			if state.PIN != shown {
				shown = state.PIN
				p.claimed(state.PIN, state.Device)
			}
			if state.Reference != told {
				told = state.Reference
				p.trouble(pairError(state))
			}
		case "paired":
			p.paired(state.Device)
			return nil
		case "expired", "failed":
			return pairError(state)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// join joins another gateway. On a terminal a wrong number may be typed again.
func (a *app) join(ctx context.Context, gateway *client.Client, target string, p pairer) error {
	id, err := gateway.Join(ctx, target)
	if err != nil {
		return err
	}
	input := bufio.NewReader(io.LimitReader(a.in, 4096))
	asked := false
	for {
		state, err := gateway.Joining(ctx, id)
		if err != nil {
			return err
		}
		switch state.State {
		case "pin_needed":
			if !asked {
				p.claimed("", state.Device)
			} else if !interactive(a.in) {
				return pairError(state)
			} else {
				fmt.Fprintln(a.err, state.Error)
			}
			asked = true
			if err := a.enterPIN(ctx, gateway, id, input); err != nil {
				return err
			}
		case "paired":
			p.paired(state.Device)
			return nil
		case "failed":
			return pairError(state)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (a *app) enterPIN(ctx context.Context, gateway *client.Client, id string, input *bufio.Reader) error {
	if interactive(a.in) {
		fmt.Fprint(a.err, "Number on the other screen: ")
	}
	line, err := input.ReadString('\n')
	if strings.TrimSpace(line) == "" {
		return sdk.Errorf(sdk.Invalid, "Type the number that the other device shows.").Because(err)
	}
	return gateway.EnterPIN(ctx, id, strings.TrimSpace(line))
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollEvery):
		return nil
	}
}

func pairError(state client.PairState) error {
	kind := sdk.Kind(state.Code)
	if kind == "" {
		kind = sdk.Expired
	}
	return &client.Error{ErrorBody: sdk.ErrorBody{Error: state.Error, Code: kind, Hint: state.Hint, Reference: state.Reference}, Status: kind.HTTPStatus()}
}

// textPairer speaks to a person.
type textPairer struct{ *app }

func (p textPairer) open(w client.Window) {
	fmt.Fprintln(p.out, "Scan this with the other device:")
	qrterminal.GenerateWithConfig(w.Link, qrterminal.Config{
		Level: qrterminal.L, Writer: p.out, HalfBlocks: true, QuietZone: 2,
		BlackChar: qrterminal.BLACK_BLACK, WhiteBlackChar: qrterminal.WHITE_BLACK,
		WhiteChar: qrterminal.WHITE_WHITE, BlackWhiteChar: qrterminal.BLACK_WHITE,
	})
	fmt.Fprintf(p.out, "Or run this on it:\n\n  salita pair '%s'\n\nCode: %s\nWaiting for the other device. This code expires in %s.\n",
		w.Link, w.Code, count(int(time.Until(w.ExpiresAt).Round(time.Minute).Minutes()), "minute"))
}

func (p textPairer) claimed(pin string, device client.PairDevice) {
	if pin == "" {
		fmt.Fprintf(p.err, "Joining %s. It shows a number now.\n", device.Name)
		return
	}
	fmt.Fprintf(p.out, "\n%s wants to join. Enter %s on it.\n", device.Name, spaced(pin))
}

func (p textPairer) paired(device client.PairDevice) {
	fmt.Fprintf(p.out, "Paired with %s.\n", device.Name)
}

func (p textPairer) trouble(err error) { p.explain(err) }

func (p textPairer) failed(error) {} // the error is explained at the end

// spaced writes a number the way people read it out: "481 920".
func spaced(pin string) string {
	if len(pin) != 6 {
		return pin
	}
	return pin[:3] + " " + pin[3:]
}

// jsonPairer speaks to a program, one event a line.
type jsonPairer struct{ *app }

func (p jsonPairer) open(w client.Window) {
	p.printJSON(struct {
		Event     string    `json:"event"`
		Code      string    `json:"code"`
		Link      string    `json:"link"`
		Address   string    `json:"address"`
		ExpiresAt time.Time `json:"expires_at"`
	}{"open", w.Code, w.Link, w.Address, w.ExpiresAt})
}

func (p jsonPairer) claimed(pin string, device client.PairDevice) {
	type named struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
	p.printJSON(struct {
		Event  string `json:"event"`
		PIN    string `json:"pin,omitempty"`
		Device named  `json:"device"`
	}{"claimed", pin, named{device.Name, device.Kind}})
}

func (p jsonPairer) paired(device client.PairDevice) {
	type known struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	p.printJSON(struct {
		Event  string `json:"event"`
		Device known  `json:"device"`
	}{"paired", known{device.ID, device.Name}})
}

func (p jsonPairer) trouble(error) {} // whoever joins is told, and may try again

func (p jsonPairer) failed(err error) {
	p.printJSON(map[string]string{"event": "failed", "error": sdk.AsError(err).Friendly()})
}
