package mesh

import "time"

// Activity is something that the gateway did by itself, told for its owner.
type Activity struct {
	At       time.Time
	Name     string   // dotted words in the past tense: "device.archived"
	DeviceID DeviceID // the device that it is about; may be empty
	Words    string   // one plain sentence
}
