"""Console scripts of the wheel, which has every program, while an extra installs what a program needs."""
