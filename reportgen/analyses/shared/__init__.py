"""Results that several questions need, computed once for each study."""
