"""Every question on one study, the linear control, and what each cost."""
