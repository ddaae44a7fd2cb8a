// Package cpace turns a short shared password into a strong shared key: the
// balanced PAKE CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21 in its
// initiator-responder form, with the draft's explicit key confirmation.
//
// It does no I/O and keeps no state between exchanges. Who may try, how often,
// and what the key is used for is the business of package pairing. A peer that
// knows another password learns nothing but that; each exchange tests exactly
// one guess.
package cpace
