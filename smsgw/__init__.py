"""smsgw: an SMS payment gateway at the carrier edge."""
